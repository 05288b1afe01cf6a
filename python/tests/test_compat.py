"""Programs that were written for the original."""

import json
import os
import pathlib
import subprocess
import sys
import warnings

import numpy as np
import pytest
import zipnn_rs
import zipnn_rs.compat
from conftest import ROOT, TYPES, weights

if not zipnn_rs.compat.install():
    pytest.skip("the original is installed", allow_module_level=True)

from zipnn import ZipNN

GOLDEN = (ROOT / "tests/data/golden", ROOT / "../shared/format/golden")


def test_the_stand_in_by_path():
    command = [sys.executable, "-m", "zipnn_rs.compat", "--path"]
    path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    code = "import zipnn; print(zipnn.__file__)"
    for environment in ({"PYTHONPATH": path}, {}):
        command = [
            sys.executable,
            "-c",
            code if environment else f"import zipnn_rs.compat as c; print(c.install()); {code}",
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env=os.environ | environment
        )
        assert path in done.stdout
        assert "False" not in done.stdout


def test_an_installed_original_wins(tmp_path):
    (tmp_path / "zipnn").mkdir()
    (tmp_path / "zipnn/__init__.py").write_text("ZipNN = 'the original'")
    (tmp_path / "zipnn_core.py").write_text("")
    code = """
import sys
import zipnn_rs.compat
sys.path.append(sys.argv[1])
print(zipnn_rs.compat.install(), end=' ')
from zipnn import ZipNN
print(ZipNN)
"""
    for environment in ({}, {"PYTHONPATH": zipnn_rs.compat.path()}):
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | environment,
        )
        assert "the original" in done.stdout


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("streaming", [False, True])
def test_bytes(dtype, streaming):
    for length in (0, 1, 3, 1000, 1_048_576, 3_000_001):
        data = weights(length, dtype)
        for kind in (bytes, bytearray, memoryview):
            given = kind(data)
            codec = ZipNN(bytearray_dtype=dtype, is_streaming=streaming, threads=2)
            file = codec.compress(given)
            assert given == data
            assert type(file) is (bytearray if streaming else bytes)
            if length:
                decoded = codec.decompress(file)
                assert type(decoded) is bytearray
                assert decoded == data
                assert not zipnn_rs.info(file)["checksums"]
            one = ZipNN(bytearray_dtype=dtype, is_streaming=streaming, threads=1)
            assert one.compress(given) == file


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_arrays(dtype):
    codec = ZipNN(input_format="numpy")
    array = np.frombuffer(weights(24_000, dtype), dtype).reshape(10, 20, -1)
    for each in (array, array.T, array[::2], array[0, 0, 0], array[:0], np.array(2, dtype)):
        before = each.copy()
        file = codec.compress(each)
        assert type(file) is bytes
        decoded = codec.decompress(file)
        assert (decoded.dtype, decoded.shape) == (each.dtype, each.shape)
        assert decoded.flags.writeable
        assert decoded.tobytes() == before.tobytes() == each.tobytes()
    for wrong in ("f8", "i4", "u4"):
        with pytest.raises(ValueError):
            codec.compress(np.zeros(3, wrong))
    with pytest.raises((TypeError, AttributeError)):
        ZipNN(input_format="torch").compress(array)


@pytest.mark.parametrize("streaming", [False, True])
def test_differences(tmp_path, streaming):
    base, tuned = weights(3_000_000), weights(3_000_000, seed=1)
    path = tmp_path / "base"
    path.write_bytes(base)
    for kind, second in (("byte", base), ("byte", bytearray(base)), ("file", str(path))):
        codec = ZipNN(delta_compressed_type=kind, is_streaming=streaming)
        file = codec.compress(tuned, delta_second_data=second)
        assert codec.decompress(file, delta_second_data=second) == tuned
        assert zipnn_rs.info(file)["delta"] == kind
        with pytest.raises(ValueError):
            codec.decompress(file)
        with pytest.raises(ValueError):
            ZipNN().decompress(file)
        with pytest.raises(ValueError):
            codec.decompress(ZipNN().compress(tuned), delta_second_data=second)
    for call in (ZipNN().compress, ZipNN().decompress):
        with pytest.raises(ValueError):
            call(tuned, delta_second_data=base)
    with pytest.raises(ValueError):
        ZipNN(delta_compressed_type="byte").compress(tuned, delta_second_data=base[1:])


def test_parameters():
    names = ZipNN.__init__.__code__.co_varnames[1:21]
    assert len(names) == 20
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        codec = ZipNN()
        ZipNN(method="huffman", threads=None, lossy_compressed_type=None)
    assert codec.threads >= 1
    data = weights(100_000)
    without_effect = {
        "is_monotonic": 1,
        "check_th_after_percent": 50,
        "byte_reorder": 10,
        "reorder_signbit": 16,
        "lossy_compressed_factor": 20,
        "zstd_level": 9,
        "lz4_compression_level": 1,
        "input_file": "a",
        "method": "zstd",
    }
    for name, value in without_effect.items():
        with pytest.warns(UserWarning, match=name):
            other = ZipNN(**{name: value})
        assert other.compress(data) == codec.compress(data)
    for name in ("compression_chunk", "streaming_chunk"):
        with pytest.raises(ValueError, match="power of 2"):
            ZipNN(**{name: 1000})
    for wrong in ({"method": "nonsense"}, {"input_format": "nonsense"}):
        with pytest.raises(ValueError):
            ZipNN(**wrong)
    with pytest.raises(ValueError):
        ZipNN(input_format="numpy", is_streaming=True)
    with pytest.raises(ValueError):
        ZipNN(bytearray_dtype="float64").compress(data)
    chunks = ZipNN(compression_chunk=4096)
    assert chunks.decompress(chunks.compress(data)) == data
    assert zipnn_rs.info(chunks.compress(data))["chunks"] > 20


def test_metadata(tmp_path, capsys):
    codec = ZipNN(input_format="numpy")
    file = codec.compress(np.zeros((3, 300), "f2"))
    path = tmp_path / "a.znn"
    path.write_bytes(file)
    about = codec.metadata(file)
    assert codec.metadata(str(path)) == about
    assert about["zipnn version"] == "0.5.4"
    assert about["dtype"] == "FLOAT16"
    assert about["shape_bytes"] == (3, 300)
    assert about["original_len"] == "1800 Bytes"
    assert about["compression_chunk"] == "262144 Bytes"
    assert about["input_format"] == "NUMPY"
    assert "FLOAT16" in capsys.readouterr().out
    assert codec.metadata(file, version=True) is None
    assert capsys.readouterr().out == "ZipNN version: 0.5.4\n"
    assert codec.__metadata__()["Threads"] == codec.threads
    with pytest.raises(ValueError, match="start with ZN"):
        codec.metadata(b"nonsense" * 8)


def test_files_by_name(tmp_path):
    path = tmp_path / "a.znn"
    path.write_bytes(ZipNN().compress(b"abc" * 100))
    codec = ZipNN(compressed_file=str(path))
    assert codec.decompress_read_file() == b"abc" * 100
    with pytest.raises(FileNotFoundError):
        codec.decompress_read_file("nothing")


def test_garbage_raises():
    file = ZipNN().compress(weights(5000))
    for wrong in (b"", b"ZN", b"nonsense" * 20, file[:-1], file[:40]):
        with pytest.raises(ValueError):
            ZipNN().decompress(wrong)


def test_header_codes():
    from zipnn.util_header import EnumFormat, EnumLossy, EnumMethod

    assert EnumMethod("huffman") is EnumMethod.HUFFMAN is EnumMethod(1)
    assert EnumFormat("Torch").value == 2
    assert EnumLossy("integer") is EnumLossy.INTEGER
    with pytest.raises(ValueError):
        EnumMethod("nonsense")


def test_files_of_every_release():
    """Recorded files of the original decode to what they were made from."""
    count = 0
    for folder in GOLDEN:
        manifest = folder / "manifest.json"
        if not manifest.exists():
            continue
        for case in json.loads(manifest.read_text())["cases"]:
            check_case(folder, case)
            count += 1
    assert count > 10


def check_case(folder: pathlib.Path, case: dict) -> None:
    file = (folder / case["file"]).read_bytes()
    original = (folder / case["original"]).read_bytes()[: case["original_len"]]
    base = (
        (folder / case["delta"]).read_bytes()[: case["original_len"]] if case.get("delta") else None
    )
    decoded = zipnn_rs.decompress(file, base=base)
    assert decoded == original, case["name"]


def cases_of_this_release():
    for folder in GOLDEN:
        manifest = folder / "manifest.json"
        cases = json.loads(manifest.read_text())["cases"] if manifest.exists() else []
        yield from ((folder, case) for case in cases if case["version"] == "0.5.4")


def test_files_are_like_those_of_the_original():
    """They say the same of themselves, and are no longer."""
    count = 0
    for folder, case in cases_of_this_release():
        if case["format"] == "torch":
            continue
        data = (folder / case["original"]).read_bytes()[: case["original_len"]]
        second = None
        if case.get("delta"):
            second = (folder / case["delta"]).read_bytes()[: case["original_len"]]
            if case["params"]["delta_compressed_type"] == "file":
                second = folder / case["delta"]
        if case["format"] == "numpy":
            data = np.frombuffer(data, case["dtype"]).reshape(case["shape"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            codec = ZipNN(**case["params"])
        theirs = (folder / case["file"]).read_bytes()
        ours = codec.compress(data, delta_second_data=second)
        assert len(ours) <= len(theirs), case["name"]
        if theirs:
            about = [zipnn_rs.info(file) for file in (ours, theirs)]
            for each in about:
                del each["compressed_len"]
            assert about[0] == about[1], case["name"]
        restored = codec.decompress(theirs, delta_second_data=second) if theirs else b""
        assert bytes(memoryview(restored)) == bytes(memoryview(data)), case["name"]
        count += 1
    assert count > 5
