"""Tensors and ranges of compressed files."""

import io
import json
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zipnn_rs
from conftest import ROOT, weights


def safetensors(tensors, metadata=None):
    """Return the bytes of a safetensors file."""
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {
            "dtype": dtype,
            "shape": shape,
            "data_offsets": [len(data), len(data) + len(content)],
        }
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


BIG = np.frombuffer(weights(8_000_000, "float32"), "<f4").reshape(1000, 20, 100)
TENSORS = {
    "big": ("F32", [1000, 20, 100], BIG.tobytes()),
    "half": ("F16", [3, 5], weights(30, "float16")),
    "ids": ("I64", [4], np.arange(4).astype("<i8").tobytes()),
    "empty": ("F32", [0, 7], b""),
    "scalar": ("F64", [], struct.pack("<d", 2.5)),
    "flags": ("BOOL", [3], b"\1\0\1"),
    "bf16": ("BF16", [40, 50], weights(4000)),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    (folder / "a.safetensors").write_bytes(safetensors(TENSORS, {"format": "pt"}))
    zipnn_rs.compress_file(folder / "a.safetensors", folder / "a.znn")
    return folder / "a.znn"


def test_tensors(path):
    with zipnn_rs.open_archive(path) as archive:
        assert archive.keys() == list(archive) == list(TENSORS)
        assert len(archive) == len(TENSORS)
        assert "big" in archive and "small" not in archive
        assert archive.metadata() == {"format": "pt"}
        for name, (dtype, shape, content) in TENSORS.items():
            part = archive.get_slice(name)
            assert (part.get_dtype(), part.get_shape()) == (dtype, shape)
            if dtype != "BF16":
                tensor = archive.get_tensor(name)
                assert list(tensor.shape) == shape
                assert tensor.tobytes() == content
                assert tensor.flags.writeable
        for call in (archive.get_tensor, archive.get_slice):
            with pytest.raises(KeyError, match="small"):
                call("small")


def test_bfloat16(path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    tensor = zipnn_rs.open_archive(path).get_tensor("bf16")
    assert tensor.dtype == ml_dtypes.bfloat16
    assert tensor.tobytes() == TENSORS["bf16"][2]


INDEXES = (
    np.s_[5],
    np.s_[-1],
    np.s_[3:8],
    np.s_[3:8:2],
    np.s_[8:3:-2],
    np.s_[:],
    np.s_[...],
    np.s_[8:3],
    np.s_[990:5000],
    np.s_[3:8, 4],
    np.s_[5, 3:9, ::2],
    np.s_[2:4, ..., 7],
    np.s_[..., 7],
    np.s_[np.int64(7), 1],
    np.s_[None, 3],
    np.s_[[1, 5, 7]],
    np.s_[np.arange(1000) % 100 == 0],
    np.s_[()],
)


def test_slices(path):
    part = zipnn_rs.open_archive(path).get_slice("big")
    for index in INDEXES:
        assert np.array_equal(part[index], BIG[index]), index
    for index in (1000, -1001, (0, 20), (0, 0, 0, 0)):
        with pytest.raises(IndexError):
            part[index]
    archive = zipnn_rs.open_archive(path)
    assert archive.get_slice("scalar")[()] == 2.5
    assert archive.get_slice("empty")[:].shape == (0, 7)


def test_only_what_is_needed_is_read(path):
    archive = zipnn_rs.open_archive(path)
    archive.keys()
    before = archive.bytes_read
    archive.get_slice("big")[500:501]
    assert archive.bytes_read - before < path.stat().st_size / 10


def test_sources(path, tmp_path):
    content = path.read_bytes()
    with open(path, "rb") as opened:
        for place in (str(path), path, opened, io.BytesIO(content)):
            archive = zipnn_rs.open_archive(place)
            assert np.array_equal(archive.get_tensor("big"), BIG)
            assert archive.read(8, 20) == safetensors(TENSORS, {"format": "pt"})[8:20]
    with pytest.raises(FileNotFoundError):
        zipnn_rs.open_archive(tmp_path / "nothing")
    with pytest.raises(zipnn_rs.ZipnnError):
        zipnn_rs.open_archive(io.BytesIO(b"nothing"))
    with pytest.raises(ValueError, match="framework"):
        zipnn_rs.open_archive(path, "keras")


def test_urls(path):
    pytest.importorskip("fsspec")
    assert np.array_equal(zipnn_rs.open_archive(f"file://{path}").get_slice("big")[3], BIG[3])


def test_errors_of_a_source_are_passed_on(path):
    class Failing(io.BytesIO):
        def read(self, size=-1):
            raise TimeoutError("too slow")

    with pytest.raises(TimeoutError, match="too slow"):
        zipnn_rs.open_archive(Failing(path.read_bytes()))


def test_many_threads_read_at_once(path):
    with open(path, "rb") as opened:
        for archive in (zipnn_rs.open_archive(path), zipnn_rs.open_archive(opened, threads=2)):
            part = archive.get_slice("big")
            with ThreadPoolExecutor(8) as pool:
                rows = list(pool.map(part.__getitem__, range(0, 1000, 20)))
            assert np.array_equal(rows, BIG[::20])


def test_differences(path, tmp_path):
    base = safetensors(TENSORS)
    tuned = bytearray(base)
    tuned[-10:] = bytes(10)
    (tmp_path / "base").write_bytes(base)
    (tmp_path / "a.znn").write_bytes(zipnn_rs.compress(tuned, "float32", base=base))
    for place in (tmp_path / "base", io.BytesIO(base)):
        archive = zipnn_rs.open_archive(tmp_path / "a.znn", base=place)
        assert archive.read(0, archive.decoded_len) == tuned
    with pytest.raises(zipnn_rs.ZipnnError) as error:
        zipnn_rs.open_archive(tmp_path / "a.znn", base=io.BytesIO(base[1:]))
    assert error.value.code == "BaseLength"
    with pytest.raises(zipnn_rs.ZipnnError) as error:
        zipnn_rs.open_archive(tmp_path / "a.znn")
    assert error.value.code == "BaseRequired"


def test_other_data_has_ranges_but_no_tensors():
    data = weights(1_000_000)
    archive = zipnn_rs.open_archive(io.BytesIO(zipnn_rs.compress(data, "bfloat16")))
    assert archive.read(1000, 300_000) == data[1000:300_000]
    with pytest.raises(zipnn_rs.ZipnnError, match="safetensors"):
        archive.keys()
    with pytest.raises(IndexError):
        archive.read(0, 1_000_001)


CONTAINERS = ROOT / "tests/data/containers"


@pytest.mark.parametrize(
    "name", ["state.pt", "module.pt", "arrays.npz", "matrix.npy", "model.onnx"]
)
def test_tensors_in_containers(name, tmp_path):
    zipnn_rs.compress_file(CONTAINERS / name, tmp_path / "znn")
    archive = zipnn_rs.open_archive(tmp_path / "znn")
    expected = json.loads((CONTAINERS / "expected.json").read_text())[name]
    assert sorted(archive.keys()) == sorted(expected)
    for key, tensor in expected.items():
        part = archive.get_slice(key)
        assert (part.get_dtype(), part.get_shape()) == (tensor["dtype"], tensor["shape"])
        if tensor["dtype"] in ("F32", "F16", "I64", "U8"):
            assert archive.get_tensor(key).tobytes().hex() == tensor["hex"]
    assert zipnn_rs.decompress((tmp_path / "znn").read_bytes()) == (CONTAINERS / name).read_bytes()


def frame_starts(compressed):
    """Return the offsets in the data at which frames begin."""
    starts, at, start = set(), 0, 0
    while at < len(compressed):
        starts.add(start)
        decoded_len, length = struct.unpack_from("<QQ", compressed, at + 16)
        at, start = at + length, start + decoded_len
    return starts


def test_frames_follow_the_arrays_in_an_archive_of_numpy(tmp_path):
    arrays = {
        "odd": np.frombuffer(weights(1_000_003, "float8_e4m3fn"), np.uint8),
        "big": BIG,
        "half": np.frombuffer(weights(600_000, "float16"), "<f2"),
        **{f"small{number}": np.arange(number, dtype="<i8") for number in range(500)},
    }
    np.savez(tmp_path / "a.npz", **arrays)
    zipnn_rs.compress_file(tmp_path / "a.npz", tmp_path / "a.npz.znn")
    compressed = (tmp_path / "a.npz.znn").read_bytes()
    archive = zipnn_rs.open_archive(tmp_path / "a.npz.znn")
    assert sorted(archive.keys()) == sorted(arrays)
    assert archive.bytes_read < len(compressed) / 2, "each chunk is read about once"
    starts = frame_starts(compressed)
    assert all(archive._entry(name)[2][0] in starts for name in ("odd", "big", "half"))
    assert np.array_equal(archive.get_slice("big")[7:9], BIG[7:9])
    assert np.array_equal(archive.get_tensor("small77"), np.arange(77))


def test_damage_is_located(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    archive = zipnn_rs.open_archive(io.BytesIO(content))
    with pytest.raises(zipnn_rs.ZipnnError) as error:
        archive.get_tensor("big")
    assert error.value.frame is not None
    assert error.value.chunk is not None
