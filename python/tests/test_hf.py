"""Models of Hugging Face: tiny, random and made on the spot."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
import zipnn_rs
import zipnn_rs.compat

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


DATA = pathlib.Path(__file__).parent / "data"
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
def test_a_lazy_state_dict(name, folders, kind):
    plain = load(name, folders["plain"])
    tensors = hf.lazy_state_dict(folders[kind])
    safetensors = pytest.importorskip("safetensors.torch")
    expected = safetensors.load_file(os.path.join(folders["plain"], "model.safetensors"))
    assert set(tensors) == set(expected)
    assert all(torch.equal(tensors[key][:], tensor) for key, tensor in expected.items())
    loaded = type(plain).from_pretrained(
        None, config=plain.config, state_dict=tensors, dtype=plain.dtype
    )
    assert torch.equal(logits(loaded), logits(plain))


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


def by_the_original(folder, renamed=False):
    """Copy the recorded shards of the original; its script can rename the files in the index."""
    shutil.copytree(DATA / "llama-by-the-original", folder)
    for name in ("model.safetensors.znn", "model.znn.safetensors"):
        (folder / name).unlink()
    if renamed:
        index = folder / "model.safetensors.index.json"
        index.write_text(index.read_text().replace(".safetensors", ".safetensors.znn"))
    return folder


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A model in folders, compressed by the original: in one file, and in shards."""
    parent = tmp_path_factory.mktemp("recorded")
    one = parent / "one"
    one.mkdir()
    for name in ("config.json", "model.safetensors.znn"):
        shutil.copy(DATA / "llama-by-the-original" / name, one)
    shards = by_the_original(parent / "shards", renamed=True)
    return {"one": one, "shards": shards, "old": by_the_original(parent / "old")}


def test_files_of_the_original(recorded, tmp_path):
    plain = load("llama", DATA / "llama")
    expected = logits(plain)
    for folder in recorded.values():
        with hf.view(folder) as shown:
            assert torch.equal(logits(load("llama", shown)), expected)
        tensors = hf.lazy_state_dict(folder)
        loaded = type(plain).from_pretrained(
            None, config=plain.config, state_dict=tensors, dtype=plain.dtype
        )
        assert torch.equal(logits(loaded), expected)
    cached = [cache_of_the_original(kind, recorded[kind], tmp_path) for kind in ("one", "shards")]
    torch.save(expected, tmp_path / "logits")
    command = [sys.executable, "-c", PATCHED, CLASSES["llama"], str(tmp_path / "logits")]
    command += [*map(str, recorded.values()), *cached]
    environment = os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.endswith("equal\n"), done.stderr


def cache_of_the_original(kind, folder, home):
    """Put a model into the cache of the hub as the original's script leaves it there.

    It compresses the blobs in place, and links to them by a path that is not relative.
    """
    repository = home / "hub" / f"models--org--{kind}"
    snapshot = repository / "snapshots" / ("a" * 40)
    for each in (repository / "refs", repository / "blobs", snapshot):
        each.mkdir(parents=True)
    (repository / "refs/main").write_text("a" * 40)
    for number, path in enumerate(sorted(folder.iterdir())):
        blob = f"../../blobs/{number:064x}"
        shutil.copy(path, snapshot / blob)
        (snapshot / path.name).symlink_to(snapshot / blob if path.suffix == ".znn" else blob)
    return f"org/{kind}"


PEAK = """
import gc, sys, threading, time
import torch, transformers
from zipnn_rs import hf

def memory():
    with open("/proc/self/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return sum(int(lines[name].split()[0]) for name in ("RssAnon", "RssShmem")) * 1024

def load(folder):
    if way == "patch":
        return transformers.LlamaForCausalLM.from_pretrained(folder, dtype="auto")
    config = transformers.AutoConfig.from_pretrained(folder)
    return transformers.LlamaForCausalLM.from_pretrained(
        None, config=config, state_dict=hf.lazy_state_dict(folder), dtype=config.dtype
    )

way, first, *folders = sys.argv[1:]
if way == "patch":
    hf.zipnn_hf()
# The first use of all this takes memory that has nothing to do with the model.
load(first)
for folder in folders:
    gc.collect()
    before, peak, is_done = memory(), 0, threading.Event()

    def watch():
        global peak
        while not is_done.wait(0.0005):
            peak = max(peak, memory())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    model = load(folder)
    is_done.set()
    watcher.join()
    size = sum(tensor.nbytes for tensor in model.state_dict().values())
    print((peak - before) / size)
    del model
"""


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """A model of 100 MB, compressed in one file and in shards."""
    config = transformers.LlamaConfig(
        vocab_size=8000,
        hidden_size=512,
        intermediate_size=1536,
        num_hidden_layers=13,
        num_attention_heads=8,
    )
    model = transformers.LlamaForCausalLM(config).to(torch.bfloat16)
    made = []
    for size in ("1GB", "30MB"):
        made.append(tmp_path_factory.mktemp("big"))
        model.save_pretrained(made[-1], max_shard_size=size)
        compress(made[-1])
    return made


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not report its memory")
@pytest.mark.parametrize("way", ["patch", "state dict"])
def test_the_peak_of_memory(way, recorded, big):
    """Loading takes little more than the model: tensors are read one by one."""
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        PEAK,
        way,
        str(recorded["one"]),
        *map(str, big),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    peaks = [float(line) for line in done.stdout.split()]
    assert len(peaks) == 2
    assert all(0.5 < peak <= 1.1 for peak in peaks), peaks


INSIDE = """
import sys, torch, transformers
import zipnn_rs.compat
zipnn_rs.compat.install()
from zipnn import zipnn_safetensors
zipnn_safetensors()
expected, folder, sharded, view = sys.argv[1:]
for place, options in ((folder, {"variant": "znn"}), (sharded, {}), (view, {})):
    model = transformers.AutoModelForCausalLM.from_pretrained(place, dtype="auto", **options)
    with torch.no_grad():
        logits = model.eval()(torch.arange(40).reshape(2, 20)).logits
    assert torch.equal(logits, torch.load(expected)), place
print("equal")
"""


def test_tensors_inside(tmp_path):
    """A real model whose tensors are compressed one by one, as the original's script does it."""
    plain = load("llama", DATA / "llama")
    for name, size in (("one", "1GB"), ("shards", "8KB")):
        folder = tmp_path / name
        plain.save_pretrained(folder, max_shard_size=size)
        for path in folder.glob("*.safetensors"):
            compress_inside(path)
        index = folder / "model.safetensors.index.json"
        if index.exists():
            index.write_text(index.read_text().replace(".safetensors", ".znn.safetensors"))
    torch.save(logits(plain), tmp_path / "logits")
    with hf.view(tmp_path / "shards") as shown:
        assert not any(".znn" in name for name in os.listdir(shown))
        places = [tmp_path / "logits", tmp_path / "one", tmp_path / "shards", shown]
        command = [sys.executable, "-W", "ignore", "-c", INSIDE, *map(str, places)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("equal\n"), done.stderr
    with hf.view(tmp_path / "one") as shown:
        assert torch.equal(logits(load("llama", shown)), logits(plain))


def compress_inside(path):
    """Compress the tensors of a file as the original's script does."""
    if not zipnn_rs.compat.install():
        pytest.skip("the original is installed")
    from safetensors import safe_open
    from safetensors.torch import save_file
    from zipnn import ZipNN, util_safetensors

    stored, listed = {}, {}
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
        for name in file.keys():
            tensor = file.get_tensor(name)
            compressed = bytearray(ZipNN(input_format="torch").compress(tensor))
            stored[name] = tensor
            if len(compressed) < tensor.nbytes:
                listed[name] = util_safetensors.build_compressed_tensor_info(tensor)
                stored[name] = torch.frombuffer(compressed, dtype=torch.uint8)
    assert listed
    util_safetensors.set_compressed_tensors_metadata(listed, metadata)
    save_file(stored, path.with_suffix(".znn.safetensors"), metadata)
    path.unlink()


def test_a_version_without_the_names(monkeypatch):
    from transformers import modeling_utils

    monkeypatch.delattr(modeling_utils, "get_checkpoint_shard_files")
    with pytest.raises(ImportError, match=r"get_checkpoint_shard_files.*view"):
        hf.zipnn_hf()


def test_files_are_not_replaced():
    with pytest.raises(ValueError, match="replaced"):
        hf.zipnn_hf(replace_local_file=True)
