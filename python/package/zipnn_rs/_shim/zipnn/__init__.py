"""The interface of the original package ``zipnn``, on top of ``zipnn_rs``."""

import importlib.machinery as _machinery
import importlib.util as _util
import os as _os
import sys as _sys


def _original() -> "_machinery.ModuleSpec | None":
    """Return where the original is, if it is installed."""
    here = _os.path.dirname(_os.path.dirname(_os.path.abspath(__file__)))
    path = [folder for folder in _sys.path if _os.path.abspath(folder or ".") != here]
    if _machinery.PathFinder.find_spec("zipnn_core", path) is None:
        return None
    return _machinery.PathFinder.find_spec("zipnn", path)


_spec = _original()
if _spec is not None and _spec.loader is not None:
    _module = _util.module_from_spec(_spec)
    _sys.modules[__name__] = _module
    _spec.loader.exec_module(_module)
else:
    from .zipnn import ZipNN, zipnn_hf, zipnn_safetensors

    __all__ = ["ZipNN", "zipnn_hf", "zipnn_safetensors"]
