"""File objects of fsspec."""

import subprocess
import sys

import pytest
import zipnn_rs
from conftest import weights

fsspec = pytest.importorskip("fsspec")

import zipnn_rs.fsspec


def test_files(tmp_path):
    data = weights(3_000_000)
    for place in (f"file://{tmp_path}/a.znn", "memory://a.znn"):
        with fsspec.open(place, "wb", compression="infer", dtype="bfloat16") as file:
            file.write(data[:1_000_000])
            file.write(data[1_000_000:])
        with fsspec.open(place, "rb") as file:
            assert zipnn_rs.info(file.read())["checksums"]
        for compression in ("infer", "zipnn"):
            with fsspec.open(place, "rb", compression=compression) as file:
                assert file.read(10) == data[:10]
                file.seek(2_000_000)
                assert file.read() == data[2_000_000:]


def test_text(tmp_path):
    lines = [f"line {number} ä\n" for number in range(1000)]
    with fsspec.open(f"{tmp_path}/a.txt.znn", "wt", compression="infer", encoding="utf-8") as file:
        file.writelines(lines)
    with fsspec.open(f"{tmp_path}/a.txt.znn", "rt", compression="infer", encoding="utf-8") as file:
        assert list(file) == lines


def test_importing_twice_changes_nothing():
    code = "import fsspec, sys, zipnn_rs.fsspec as one; del sys.modules['zipnn_rs.fsspec']"
    code += "; import zipnn_rs.fsspec; print(fsspec.utils.compressions['znn'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "zipnn\n"


def test_damage_is_located():
    data = weights(1_000_000)
    file = bytearray(zipnn_rs.compress(data, "bfloat16"))
    file[len(file) // 2] ^= 1
    fsspec.filesystem("memory").pipe("/damaged.znn", bytes(file))
    with (
        fsspec.open("memory://damaged.znn", compression="infer") as opened,
        pytest.raises(zipnn_rs.ZipnnError) as error,
    ):
        opened.read()
    assert error.value.chunk is not None
