"""Models of Hugging Face: tiny, random and made on the spot."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import zipnn_rs

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from zipnn_rs import hf

if int(transformers.__version__.split(".")[0]) < 5:
    pytest.skip("transformers 5 is not installed", allow_module_level=True)


def models():
    llama = transformers.LlamaConfig(
        vocab_size=200,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    bert = transformers.BertConfig(
        vocab_size=200,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
    )
    return {
        "llama": transformers.LlamaForCausalLM(llama).to(torch.bfloat16),
        "bert": transformers.BertForMaskedLM(bert),
    }


CLASSES = {"llama": "AutoModelForCausalLM", "bert": "AutoModelForMaskedLM"}
IDS = torch.arange(40).reshape(2, 20)


def logits(model):
    with torch.no_grad():
        return model.eval()(IDS).logits


def load(name, *arguments, **options):
    return getattr(transformers, CLASSES[name]).from_pretrained(*arguments, dtype="auto", **options)


def compress(folder, renamed=True):
    """Compress the weights in a folder; the index names them as they are then, or as they were."""
    for path in sorted(folder.glob("*.safetensors")):
        zipnn_rs.compress_file(path, f"{path}.znn")
        path.unlink()
    index = folder / "model.safetensors.index.json"
    if renamed and index.exists():
        about = json.loads(index.read_text())
        about["weight_map"] = {key: f"{file}.znn" for key, file in about["weight_map"].items()}
        index.write_text(json.dumps(about))


@pytest.fixture(scope="module", params=["llama", "bert"])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def folders(name, tmp_path_factory):
    """A model in folders: plain, compressed in one file, and in shards with either index."""
    model = models()[name]
    made = {}
    for kind, size in (("plain", "1GB"), ("one", "1GB"), ("shards", "100KB"), ("old", "100KB")):
        made[kind] = tmp_path_factory.mktemp(f"{name}-{kind}")
        model.save_pretrained(made[kind], max_shard_size=size)
    compress(made["one"])
    compress(made["shards"])
    compress(made["old"], renamed=False)
    assert len(list(made["shards"].glob("*.znn"))) > 1
    return made


@pytest.mark.parametrize("kind", ["one", "shards", "old"])
def test_view(name, folders, kind):
    expected = logits(load(name, folders["plain"]))
    with hf.view(folders[kind]) as folder:
        assert not any(file.endswith(".znn") for file in os.listdir(folder))
        result = logits(load(name, folder))
    assert torch.equal(result, expected)
    assert not os.path.exists(folder)


@pytest.mark.parametrize("kind", ["one", "shards", "old"])
def test_a_lazy_state_dict(folders, kind):
    plain = hf.lazy_state_dict(folders[kind])
    with hf.view(folders["plain"]) as folder:
        safetensors = pytest.importorskip("safetensors.torch")
        expected = safetensors.load_file(os.path.join(folder, "model.safetensors"))
    assert set(plain) == set(expected)
    assert all(torch.equal(plain[key][:], tensor) for key, tensor in expected.items())


PATCHED = """
import sys, torch, transformers
from zipnn_rs.hf import zipnn_hf
zipnn_hf()
zipnn_hf()
kind, expected, *folders = sys.argv[1:]
for folder in folders:
    model = getattr(transformers, kind).from_pretrained(folder, dtype='auto')
    with torch.no_grad():
        logits = model.eval()(torch.arange(40).reshape(2, 20)).logits
    assert torch.equal(logits, torch.load(expected)), folder
print('equal')
"""


def test_a_patched_transformers(name, folders, tmp_path):
    torch.save(logits(load(name, folders["plain"])), tmp_path / "logits")
    folders = [str(folders[kind]) for kind in ("plain", "one", "shards", "old")]
    command = [sys.executable, "-c", PATCHED, CLASSES[name], str(tmp_path / "logits"), *folders]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("equal\n"), done.stderr


def test_a_hub_cache(name, folders, tmp_path):
    """Models in the cache of the hub, compressed as `zipnn compress --hub` does, load offline."""
    revision = "a" * 40
    for kind in ("one", "shards", "old"):
        repository = tmp_path / "hub" / f"models--org--{kind}"
        snapshot = repository / "snapshots" / revision
        for folder in (repository / "refs", repository / "blobs", snapshot):
            folder.mkdir(parents=True)
        (repository / "refs/main").write_text(revision)
        for number, path in enumerate(sorted(folders[kind].iterdir())):
            blob = repository / "blobs" / f"{number:064x}"
            shutil.copy(path, blob)
            (snapshot / path.name).symlink_to(f"../../blobs/{blob.name}")
    torch.save(logits(load(name, folders["plain"])), tmp_path / "logits")
    names = [f"org/{kind}" for kind in ("one", "shards", "old")]
    command = [sys.executable, "-c", PATCHED, CLASSES[name], str(tmp_path / "logits"), *names]
    environment = os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.endswith("equal\n"), done.stderr


def test_a_version_without_the_names(monkeypatch):
    from transformers import modeling_utils

    monkeypatch.delattr(modeling_utils, "get_checkpoint_shard_files")
    with pytest.raises(ImportError, match=r"get_checkpoint_shard_files.*view"):
        hf.zipnn_hf()


def test_files_are_not_replaced():
    with pytest.raises(ValueError, match="replaced"):
        hf.zipnn_hf(replace_local_file=True)
