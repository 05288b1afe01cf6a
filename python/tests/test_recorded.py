"""Recorded files of the original's scripts. `data/README.md` describes them."""

import json
import pathlib
import shutil

import numpy as np
import pytest
import zipnn_rs

DATA = pathlib.Path(__file__).parent / "data"
PLAIN = DATA / "llama/model.safetensors"
RECORDED = DATA / "llama-by-the-original"
SHARDS = sorted(RECORDED.glob("model-*.znn"))


def tensors(content):
    """Return the bytes of each tensor of a safetensors file."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    data = content[8 + length :]
    return {name: data[slice(*about["data_offsets"])] for name, about in header.items()}


def test_a_whole_file(tmp_path):
    path = RECORDED / "model.safetensors.znn"
    assert zipnn_rs.decompress(path.read_bytes()) == PLAIN.read_bytes()
    zipnn_rs.decompress_file(path, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == PLAIN.read_bytes()
    with zipnn_rs.open(path) as file:
        assert file.read() == PLAIN.read_bytes()
    assert zipnn_rs.info(path.read_bytes())["version"] == "0.5.4"


def test_tensors_of_shards():
    expected = tensors(PLAIN.read_bytes())
    found = {}
    for path in SHARDS:
        found |= tensors(zipnn_rs.decompress(path.read_bytes()))
        assert zipnn_rs.open_archive(path).keys()
    assert found == expected


def test_tensors_inside(tmp_path):
    path = RECORDED / "model.znn.safetensors"
    zipnn_rs.decompress_file(path, tmp_path / "a", threads=1)
    restored = tensors((tmp_path / "a").read_bytes())
    expected, stored = tensors(PLAIN.read_bytes()), tensors(path.read_bytes())
    assert set(restored) == set(expected)
    for name, content in restored.items():
        if "norm" in name:
            # The original stores the sign after the exponent.
            assert content == stored[name]
            bits = np.frombuffer(content, "<u2")
            content = (bits & 0x7F | bits >> 8 << 7 | (bits >> 7 & 1) << 15).tobytes()
        assert content == expected[name], name
    for threads in (1, 2):
        zipnn_rs.decompress_file(path, tmp_path / "b", threads=threads, overwrite=True)
        assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes()


def test_damaged_tensors_inside(tmp_path):
    content = bytearray((RECORDED / "model.znn.safetensors").read_bytes())
    path = tmp_path / "a.znn.safetensors"
    path.write_bytes(content[:-100])
    with pytest.raises(zipnn_rs.ZipnnError):
        zipnn_rs.decompress_file(path, tmp_path / "a")
    content[-100:] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(zipnn_rs.ZipnnError, match=r"model\.layers\.1\.self_attn") as error:
        zipnn_rs.decompress_file(path, tmp_path / "a")
    assert error.value.chunk is not None
    assert not (tmp_path / "a").exists()


def test_files_without_tensors_inside(tmp_path):
    for content in (PLAIN.read_bytes(), b"", b"nonsense" * 10):
        (tmp_path / "a.znn.safetensors").write_bytes(content)
        assert zipnn_rs._native.InsideFile.open(tmp_path / "a.znn.safetensors") is None
        with pytest.raises(zipnn_rs.ZipnnError):
            zipnn_rs.decompress_file(tmp_path / "a.znn.safetensors", tmp_path / "a")


def test_tensors_inside_in_memory(tmp_path):
    path = RECORDED / "model.znn.safetensors"
    zipnn_rs.decompress_file(path, tmp_path / "a")
    inside = zipnn_rs._native.InsideFile.open(path)
    memory = bytearray(inside.decoded_len)
    assert inside.read_into(memory) == len(memory)
    assert memory == (tmp_path / "a").read_bytes()
    with pytest.raises(zipnn_rs.ZipnnError) as error:
        inside.read_into(bytearray(len(memory) - 1))
    assert error.value.code == "OutputTooSmall"


def test_a_view(tmp_path):
    """Shows each file under the name that it had before, without any other package."""
    hf = pytest.importorskip("zipnn_rs.hf")
    folder = tmp_path / "model"
    shutil.copytree(RECORDED, folder)
    shutil.copytree(RECORDED, folder / "part")
    index = folder / "part/model.safetensors.index.json"
    index.write_text(index.read_text().replace(".safetensors", ".safetensors.znn"))
    # A file that exists in both forms appears once, as it is.
    shutil.copy(PLAIN, folder / "model-00001-of-00002.safetensors")
    (folder / "part/model.safetensors.znn").unlink()
    with hf.view(folder) as shown, hf.view(str(folder), threads=1) as again:
        for shown_folder in map(pathlib.Path, (shown, again)):
            names = sorted(
                str(path.relative_to(shown_folder))
                for path in shown_folder.rglob("*")
                if not path.is_dir()
            )
            of_shards = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
            files = ["config.json", *of_shards, "model.safetensors"]
            files.append("model.safetensors.index.json")
            assert names == files + [f"part/{name}" for name in files]
            assert (shown_folder / "model.safetensors").read_bytes() == PLAIN.read_bytes()
            assert (shown_folder / of_shards[0]).read_bytes() == PLAIN.read_bytes()
            index = json.loads((shown_folder / "part/model.safetensors.index.json").read_text())
            assert set(index["weight_map"].values()) == set(of_shards)
            found = {}
            for name in of_shards:
                found |= tensors((shown_folder / "part" / name).read_bytes())
            assert found == tensors(PLAIN.read_bytes())
            inside = tensors((shown_folder / "part/model.safetensors").read_bytes())
            assert set(inside) == set(found)
    assert not pathlib.Path(shown).exists()
