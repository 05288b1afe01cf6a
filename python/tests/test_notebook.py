"""The notebook: its cells run, and print what it shows."""

import contextlib
import importlib.util
import io
import json
import os

import pytest
import zipnn_rs.compat
from conftest import ROOT

pytest.importorskip("ml_dtypes")

NOTEBOOK = ROOT / "python/examples/tour.ipynb"


def is_installed(name):
    return importlib.util.find_spec(name) is not None


def cells(tag=None):
    """Return the code and the output of each cell, without those that need more packages."""
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        tags = cell["metadata"].get("tags", [])
        if cell["cell_type"] == "code" and (not tags or tag in tags):
            yield (
                "".join(cell["source"]),
                "".join(line for output in cell["outputs"] for line in output["text"]),
            )


def run(found):
    if not zipnn_rs.compat.install():
        pytest.skip("the original is installed")
    before = os.getcwd()
    os.chdir(NOTEBOOK.parent)
    try:
        names = {}
        for number, (code, expected) in enumerate(found):
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(code, f"cell {number}", "exec"), names)
            assert printed.getvalue() == expected
    finally:
        os.chdir(before)
    return number + 1


def test_the_notebook():
    assert run(cells()) > 5


@pytest.mark.skipif(
    not is_installed("transformers") or not is_installed("torch"),
    reason="transformers is not installed",
)
def test_the_notebook_with_transformers():
    assert run(cells("transformers")) > 7


def test_the_notebook_is_valid():
    nbformat = pytest.importorskip("nbformat")
    nbformat.validate(nbformat.read(NOTEBOOK, as_version=4))
