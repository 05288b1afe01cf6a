"""Tensors of torch."""

import json
import warnings

import pytest
import zipnn_rs
import zipnn_rs.compat
from conftest import ROOT, TYPES, weights

torch = pytest.importorskip("torch")

GOLDEN = (ROOT / "tests/data/golden", ROOT / "../shared/format/golden")


def tensors(dtype):
    whole = torch.frombuffer(bytearray(weights(24_000, dtype)), dtype=getattr(torch, dtype))
    whole = whole.reshape(10, 20, -1)
    return whole, whole.transpose(0, 2), whole[::2], whole[0, 0, 0], whole[:0], whole[:, 3]


def same(one, other):
    return one.dtype == other.dtype and one.shape == other.shape and same_bits(one, other)


def same_bits(one, other):
    return bytes_of(one) == bytes_of(other)


def bytes_of(tensor):
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


@pytest.mark.parametrize("dtype", [*TYPES, "int64", "uint8", "bool", "float64"])
def test_tensors_as_bytes(dtype):
    source = "float32" if dtype in ("int64", "float64") else dtype
    for tensor in tensors(source if source in TYPES else "float8_e5m2"):
        if dtype not in TYPES:
            tensor = tensor.to(torch.float32).nan_to_num().to(getattr(torch, dtype))
        file = zipnn_rs.compress(tensor)
        assert zipnn_rs.decompress(file) == bytes_of(tensor)
        target = torch.empty(tensor.shape, dtype=tensor.dtype)
        assert zipnn_rs.decompress_into(file, target) == tensor.nbytes
        assert same(target, tensor)


def test_a_parameter():
    parameter = torch.nn.Parameter(torch.randn(30, 40))
    assert zipnn_rs.decompress(zipnn_rs.compress(parameter)) == bytes_of(parameter.detach())


def test_targets_that_cannot_be_used():
    file = zipnn_rs.compress(torch.ones(100))
    with pytest.raises(ValueError, match="contiguous"):
        zipnn_rs.decompress_into(file, torch.zeros(100, 2)[:, 0])


def test_an_archive(model, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    plain = safetensors.load_file(model)
    path = tmp_path / "a.znn"
    zipnn_rs.compress_file(model, path)
    with zipnn_rs.open_archive(path, "torch") as archive:
        assert set(archive) == set(plain)
        for name, tensor in plain.items():
            assert same(archive.get_tensor(name), tensor)
            if tensor.dim() > 1:
                part = archive.get_slice(name)
                assert same(part[2:5, 1:], tensor[2:5, 1:])
                assert same(part[-1], tensor[-1])


@pytest.fixture
def codec():
    if not zipnn_rs.compat.install():
        pytest.skip("the original is installed")
    from zipnn import ZipNN

    return ZipNN(input_format="torch")


@pytest.mark.parametrize("dtype", TYPES)
def test_the_stand_in(codec, dtype):
    for tensor in tensors(dtype):
        before = tensor.clone()
        file = codec.compress(tensor)
        assert type(file) is bytes
        assert same(tensor, before)
        restored = codec.decompress(file)
        assert same(restored, tensor)
        restored.zero_()
        about = zipnn_rs.info(file)
        assert (about["form"], about["dtype"]) == ("torch", dtype)


def test_types_that_the_original_does_not_have(codec):
    for dtype in (torch.float64, torch.int32):
        with pytest.raises(ValueError):
            codec.compress(torch.zeros(3, dtype=dtype))


def test_recorded_tensors(codec):
    count = 0
    for folder in GOLDEN:
        manifest = folder / "manifest.json"
        for case in json.loads(manifest.read_text())["cases"] if manifest.exists() else []:
            if case["format"] != "torch" or case["version"] != "0.5.4" or case.get("delta"):
                continue
            data = (folder / case["original"]).read_bytes()[: case["original_len"]]
            restored = codec.decompress((folder / case["file"]).read_bytes())
            assert list(restored.shape) == case["shape"], case["name"]
            assert bytes_of(restored) == data, case["name"]
            count += 1
    assert count > 0


def test_types_and_shapes_of_the_original(codec):
    from zipnn import util_safetensors, util_torch

    kinds = util_torch.ZipNNDtypeEnum
    assert kinds.from_dtype(torch.bfloat16).code == kinds.from_dtype("bfloat16").code == 6
    assert kinds.from_code(29) == "FLOAT8_E4M3FN"
    for shape in ((), (3,), (0, 255, 256, 65_536, 1 << 32)):
        packed = util_torch.zipnn_pack_shape(shape)
        assert util_torch.zipnn_unpack_shape(packed + b"more") == (shape, len(packed))
    metadata = {"format": "pt"}
    entry = util_safetensors.build_compressed_tensor_info(torch.zeros(2, 3))
    util_safetensors.set_compressed_tensors_metadata({"a": entry}, metadata)
    assert util_safetensors.get_compressed_tensors_metadata(metadata) == {"a": entry}
    assert util_safetensors.get_compressed_tensors_metadata(None) == {}


def test_no_warnings(codec):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        codec.decompress(codec.compress(torch.randn(100)))
