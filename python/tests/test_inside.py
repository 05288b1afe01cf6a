"""Safetensors files in which tensors are compressed one by one."""

import subprocess
import sys

import pytest
import zipnn_rs.compat
from conftest import weights

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")

if not zipnn_rs.compat.install():
    pytest.skip("the original is installed", allow_module_level=True)

CODE = """
import sys, torch
from safetensors import safe_open as before
import safetensors.torch
from zipnn import zipnn_safetensors
zipnn_safetensors()
zipnn_safetensors()
plain = torch.load(sys.argv[2])
loaded = safetensors.torch.load_file(sys.argv[1])
assert set(loaded) == set(plain)
for name, tensor in plain.items():
    assert loaded[name].dtype == tensor.dtype and torch.equal(loaded[name], tensor), name
with safetensors.safe_open(sys.argv[1], "pt", device="cpu", backend="mmap") as file:
    assert set(file.keys()) == set(plain)
    part = file.get_slice("big")
    assert part.get_shape() == [3000, 100] and part.get_dtype() == "BF16"
    for index in (5, -1, slice(10, 20), (slice(3, 9, 2), 7), ..., (slice(None), 3), slice(9, 3)):
        assert torch.equal(part[index], plain["big"][index]), index
    assert torch.equal(file.get_slice("ids")[1:3], plain["ids"][1:3])
    assert torch.equal(file.get_tensors()["scalar"], plain["scalar"])
print("equal")
"""


def test_the_patch(tmp_path):
    from zipnn import ZipNN
    from zipnn.util_safetensors import (
        build_compressed_tensor_info,
        set_compressed_tensors_metadata,
    )

    plain = {
        "big": torch.frombuffer(bytearray(weights(600_000)), dtype=torch.bfloat16).view(3000, 100),
        "scalar": torch.tensor(2.5),
        "ids": torch.arange(5),
    }
    stored, listed, metadata = dict(plain), {}, {"format": "pt"}
    for name in ("big", "scalar"):
        listed[name] = build_compressed_tensor_info(plain[name])
        file = bytearray(ZipNN(input_format="torch").compress(plain[name]))
        stored[name] = torch.frombuffer(file, dtype=torch.uint8)
    set_compressed_tensors_metadata(listed, metadata)
    safetensors.save_file(stored, tmp_path / "a.znn.safetensors", metadata)
    torch.save(plain, tmp_path / "plain")
    command = [sys.executable, "-c", "import zipnn_rs.compat as c; c.install()\n" + CODE]
    command += [str(tmp_path / "a.znn.safetensors"), str(tmp_path / "plain")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "equal\n", done.stderr
