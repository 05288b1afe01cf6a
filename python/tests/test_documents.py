"""The examples in the documents, as a reader would run them in a folder of their own."""

import os
import re

import numpy as np
import pytest
import zipnn_rs
from conftest import ROOT, matrix, weights
from test_archive import safetensors

PAGES = ("README.md", "docs/python.md", "python/README.md")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# `print(…)  # what it prints`
PRINTED = re.compile(r"\bprint\(.*\)  # (.*)$", re.MULTILINE)
# Text of a block, and the modules without which it cannot run.
NEEDED = {
    "transformers": ["torch", "transformers"],
    "dask": ["dask.array", "zarr"],
    "open_archive": ["ml_dtypes"],
}


def blocks():
    for page in PAGES:
        found = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
        assert found, f"{page} has no examples"
        for number, code in enumerate(found, 1):
            yield pytest.param(code, id=f"{page} {number}")


def before_and_after():
    """Return the tensors of a model before and after a step."""
    before = {"a": matrix(20, 30), "b": matrix(30, 20)}
    return before, {"a": before["a"] * np.float32(1.001), "b": before["b"]}


def surroundings(code):
    """Return the names that a block uses, and write the files that it opens."""
    embeddings = weights(1100 * 64 * 2)
    norm = weights(64 * 2)
    model = {
        "embeddings.weight": ("BF16", [1100, 64], embeddings),
        "embeddings.LayerNorm.weight": ("BF16", [64], norm),
    }
    with open("model.safetensors", "wb") as file:
        file.write(safetensors(model))
    damaged = bytearray(zipnn_rs.compress(weights(4 << 18), "bfloat16"))
    # A byte of the last chunk in the raw planes, which the coded planes of all four chunks follow.
    damaged[-250_000] ^= 1
    before, after = before_and_after()
    served = {name: tensor.copy() for name, tensor in before.items()}
    names = {"before": before, "after": after, "served": served, "step": 7}
    names |= {"zipnn_rs": zipnn_rs, "weights": embeddings, "damaged": damaged}
    if "dask" in code:
        names["weights"] = np.zeros((4096, 4096), "f2")
    if "transformers" in code:
        write_model()
    return names


def write_model():
    """Write a compressed model of the form that transformers writes to the folder `model`."""
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained("model")
    zipnn_rs.compress_file("model/model.safetensors", "model/model.safetensors.znn")
    os.remove("model/model.safetensors")


@pytest.mark.parametrize("code", list(blocks()))
def test_an_example_runs(code, tmp_path, monkeypatch, capsys):
    for text, modules in NEEDED.items():
        for module in modules if text in code else ():
            pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    names = surroundings(code)
    exec(compile(code, "example", "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    assert printed == PRINTED.findall(code)
    if "update.apply" in code:
        assert all(np.array_equal(names["served"][name], names["after"][name]) for name in "ab")
