"""Input that arrives in parts, and files."""

import io
import os

import numpy as np
import pytest
import zipnn_rs
from conftest import weights


def compressed(data, **options):
    compressor = zipnn_rs.Compressor("bfloat16", **options)
    return compressor.compress(data) + compressor.flush()


def test_parts_of_every_size():
    data = weights(1_000_001)
    file = compressed(data, frame_len=300_000)
    assert zipnn_rs.info(file)["frames"] > 3
    assert zipnn_rs.info(file)["sealed"]
    for part in (1000, 65_537, 10_000_000):
        compressor = zipnn_rs.Compressor("bfloat16", frame_len=300_000)
        parts = [compressor.compress(data[at : at + part]) for at in range(0, len(data), part)]
        assert b"".join(parts) + compressor.flush() == file
        decompressor = zipnn_rs.Decompressor()
        decoded = b"".join(
            decompressor.decompress(file[at : at + part]) for at in range(0, len(file), part)
        )
        assert decoded == data
        assert decompressor.eof
        decompressor.finish()


def test_output_by_parts():
    data = weights(1_000_001)
    for file in (compressed(data), zipnn_rs.compress(data, "bfloat16")):
        decompressor = zipnn_rs.Decompressor()
        assert decompressor.needs_input
        decoded = decompressor.decompress(file + b"behind", 10)
        assert len(decoded) == 10
        assert not decompressor.needs_input
        while not decompressor.eof:
            decoded += decompressor.decompress(b"", 12_345)
        assert decoded == data
        assert decompressor.unused_data == b"behind"
        assert not decompressor.needs_input
        with pytest.raises(EOFError):
            decompressor.decompress(b"more")


def test_empty_streams():
    file = zipnn_rs.Compressor().flush()
    decompressor = zipnn_rs.Decompressor()
    assert decompressor.decompress(file) == b""
    assert decompressor.eof


def test_a_stream_that_ends_early():
    file = compressed(weights(1_000_000), frame_len=100_000)
    decompressor = zipnn_rs.Decompressor()
    decompressor.decompress(file[: len(file) // 2])
    assert not decompressor.eof
    with pytest.raises(zipnn_rs.ZipnnError) as error:
        decompressor.finish()
    assert error.value.frame is not None


def test_a_complete_stream_takes_no_more():
    compressor = zipnn_rs.Compressor()
    compressor.flush()
    for call in (compressor.flush, lambda: compressor.compress(b"more")):
        with pytest.raises(ValueError, match="complete"):
            call()


def test_frames_of_no_length_are_an_error():
    with pytest.raises(zipnn_rs.ZipnnError) as error:
        zipnn_rs.Compressor(frame_len=0)
    assert error.value.code == "InvalidFrameSize"


def test_files(tmp_path, model):
    target, back = tmp_path / "a.znn", tmp_path / "a"
    for threads in (1, 2):
        for dtype in (None, "bfloat16"):
            length = zipnn_rs.compress_file(model, target, dtype, threads=threads, overwrite=True)
            assert length == os.path.getsize(target)
            zipnn_rs.decompress_file(target, back, threads=threads, overwrite=True)
            assert back.read_bytes() == model.read_bytes()
    assert zipnn_rs.info(target.read_bytes())["sealed"]
    assert zipnn_rs.verify(target.read_bytes()) == os.path.getsize(model)
    assert sorted(os.listdir(tmp_path)) == ["a", "a.znn"]


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 10_000_001])
def test_files_of_any_length(tmp_path, length):
    source, target, back = (tmp_path / name for name in ("a", "a.znn", "b"))
    source.write_bytes(weights(length, "float32"))
    zipnn_rs.compress_file(source, target)
    zipnn_rs.decompress_file(target, back)
    assert back.read_bytes() == source.read_bytes()
    plain = tmp_path / "plain.znn"
    zipnn_rs.compress_file(source, plain, "float32", checksums=False)
    assert not zipnn_rs.info(plain.read_bytes())["sealed"]
    zipnn_rs.decompress_file(plain, back, overwrite=True)
    assert back.read_bytes() == source.read_bytes()


def test_files_are_not_replaced_unasked(tmp_path, model):
    target = tmp_path / "a.znn"
    target.write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        zipnn_rs.compress_file(model, target)
    with pytest.raises(FileNotFoundError):
        zipnn_rs.compress_file(tmp_path / "nothing", target, overwrite=True)
    with pytest.raises(zipnn_rs.ZipnnError):
        zipnn_rs.decompress_file(model, target, overwrite=True)
    assert target.read_bytes() == b"precious"
    assert os.listdir(tmp_path) == ["a.znn"]


def test_a_difference_between_files(tmp_path):
    base, tuned = weights(9_000_000), bytearray(weights(9_000_000))
    tuned[5_000_000:5_000_100] = bytes(100)
    (tmp_path / "base").write_bytes(base)
    (tmp_path / "a.znn").write_bytes(zipnn_rs.compress(tuned, "bfloat16", base=base))
    zipnn_rs.decompress_file(tmp_path / "a.znn", tmp_path / "a", base=tmp_path / "base")
    assert (tmp_path / "a").read_bytes() == tuned


def test_file_objects(tmp_path):
    path, data = tmp_path / "a.znn", weights(3_000_000)
    with zipnn_rs.open(path, "wb", "bfloat16") as file:
        assert file.write(data[:1_000_000]) == 1_000_000
        file.write(memoryview(data)[1_000_000:])
        assert file.tell() == len(data)
    assert zipnn_rs.decompress(path.read_bytes()) == data
    with zipnn_rs.open(path) as file:
        assert file.read(10) == data[:10]
        assert file.seek(-5, os.SEEK_END) == len(data) - 5
        assert file.read() == data[-5:]
        file.seek(1_234_567)
        assert file.read(100_000) == data[1_234_567:1_334_567]
        array = np.frombuffer(data, "u2")
        file.seek(0)
        assert np.array_equal(np.frombuffer(file.read(), "u2"), array)
    with pytest.raises(FileExistsError):
        zipnn_rs.open(path, "xb")
    for mode in ("a", "r+", "rbt", ""):
        with pytest.raises(ValueError):
            zipnn_rs.open(path, mode)


def test_text(tmp_path):
    path = tmp_path / "a.znn"
    lines = [f"line {number} ä\n" for number in range(10_000)]
    with zipnn_rs.open(path, "wt", encoding="utf-8") as file:
        file.writelines(lines)
    with zipnn_rs.open(path, "rt", encoding="utf-8") as file:
        assert list(file) == lines


def test_an_exception_leaves_a_file_incomplete(tmp_path):
    path = tmp_path / "a.znn"
    with pytest.raises(KeyError), zipnn_rs.open(path, "wb", "bfloat16") as file:
        file.write(weights(10_000_000))
        raise KeyError
    with pytest.raises(zipnn_rs.ZipnnError) as error:
        zipnn_rs.decompress(path.read_bytes())
    assert error.value.code == "FooterMissing"


def test_a_reader_that_does_not_seek():
    file = io.BytesIO(compressed(weights(100_000)))
    decompressor = zipnn_rs.Decompressor()
    decoded = b""
    while part := file.read(1000):
        decoded += decompressor.decompress(part)
    decompressor.finish()
    assert decoded == weights(100_000)


class Pipe(io.BytesIO):
    """A file object that cannot seek, and returns less than is wanted."""

    def seekable(self):
        return False

    def seek(self, *_):
        raise io.UnsupportedOperation("seek")

    def read(self, size=-1):
        return super().read(min(size, 7001))


def test_file_objects_of_the_caller():
    data = weights(3_000_000)
    for frame_len in (None, 500_000):
        for kind in (io.BytesIO, Pipe):
            opened = kind(compressed(data, frame_len=frame_len))
            with zipnn_rs.open(opened) as file:
                assert file.read(10) == data[:10]
                assert file.read() == data[10:]
                assert file.read() == b""
            assert not opened.closed
    opened = io.BytesIO()
    with zipnn_rs.open(opened, "w", "bfloat16") as file:
        file.write(data)
    assert zipnn_rs.decompress(opened.getvalue()) == data


def test_pipes_that_end_early_or_are_damaged():
    file = compressed(weights(1_000_000), frame_len=100_000)
    with pytest.raises(zipnn_rs.ZipnnError) as error:
        zipnn_rs.open(Pipe(file[:-1])).read()
    assert error.value.frame is not None
    damaged = bytearray(file)
    damaged[len(file) // 2] ^= 1
    with pytest.raises(zipnn_rs.ZipnnError) as error:
        zipnn_rs.open(Pipe(damaged)).read()
    assert error.value.chunk is not None
