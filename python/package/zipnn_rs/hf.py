"""Models of Hugging Face whose weights are compressed.

``view`` needs no patch: it makes a folder in which compressed weights look like plain files, for
any loader. ``zipnn_hf`` patches transformers, so that ``from_pretrained`` reads compressed weights.
``zipnn_safetensors`` patches safetensors, for files in which tensors are compressed one by one.
``lazy_state_dict`` is for ``from_pretrained(None, config=..., state_dict=...)``.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import mmap
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from . import _native, open_archive
from ._inside import zipnn_safetensors

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["SafeOpen", "lazy_state_dict", "view", "zipnn_hf", "zipnn_safetensors"]

_SUFFIX = ".znn"
_INSIDE_SUFFIX = ".znn.safetensors"
_INDEX = ".index.json"
# What is patched, in transformers.modeling_utils.
_NAMES = (
    "safe_open",
    "_get_resolved_checkpoint_files",
    "get_checkpoint_shard_files",
    "cached_file",
)


@contextlib.contextmanager
def view(directory: str | os.PathLike[str], *, threads: int = 0) -> Iterator[str]:
    """Show a directory as if its files were not compressed.

    The result is a folder of links. Compressed files, with the ending ``.znn`` or
    ``.znn.safetensors``, appear under the name that they had before, and contain what they
    decompress to: in memory on Linux, otherwise in temporary files. Indexes name the files as they
    appear. All of it ends with the ``with`` block, except for memory that is still in use.
    """
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="zipnn-"))
        _show_directory(os.path.abspath(directory), folder, threads, stack)
        yield folder


def _show_directory(source: str, target: str, threads: int, stack: contextlib.ExitStack) -> None:
    names = os.listdir(source)
    # A file that exists in several forms appears once, best as it is.
    for name in sorted(names, key=lambda name: (_plain_name(name) != name, name)):
        path, plain = os.path.join(source, name), _plain_name(name)
        if os.path.isdir(path):
            os.mkdir(os.path.join(target, name))
            _show_directory(path, os.path.join(target, name), threads, stack)
        elif name.endswith(_INDEX):
            _show_index(path, os.path.join(target, name))
        elif plain == name:
            _link(path, os.path.join(target, name))
        elif not os.path.lexists(os.path.join(target, plain)):
            _show_file(path, os.path.join(target, plain), threads, stack)


def _plain_name(name: str) -> str:
    """Return the name of a file before it was compressed."""
    if name.endswith(_INSIDE_SUFFIX):
        return name.removesuffix(_INSIDE_SUFFIX) + ".safetensors"
    return name.removesuffix(_SUFFIX)


def _link(source: str, target: str) -> None:
    try:
        os.symlink(source, target)
    except OSError:
        # Windows reserves links for administrators.
        shutil.copyfile(source, target)


def _show_file(source: str, target: str, threads: int, stack: contextlib.ExitStack) -> None:
    if not hasattr(os, "memfd_create"):
        _native.decompress_file(source, target, threads=threads)
        return
    file = os.memfd_create(os.path.basename(target))
    stack.callback(os.close, file)
    if source.endswith(_INSIDE_SUFFIX):
        inside = _native.InsideFile.open(source, threads=threads)
        if inside is None:
            raise ValueError(f"{source} has no compressed tensors")
        _fill(file, inside.decoded_len, inside.read_into)
    else:
        with open(source, "rb") as opened:
            compressed = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        with compressed:
            length = _native.decoded_len(compressed)
            _fill(
                file,
                length,
                lambda memory: _native.decompress_into(compressed, memory, threads=threads),
            )
    os.symlink(f"/proc/{os.getpid()}/fd/{file}", target)


def _fill(file: int, length: int, read_into: Callable[[Any], object]) -> None:
    """Fill a memory file."""
    os.ftruncate(file, length)
    if length:
        with mmap.mmap(file, length) as memory:
            read_into(memory)


def _show_index(source: str, target: str) -> None:
    with open(source, encoding="utf-8") as file:
        index = json.load(file)
    if isinstance(index.get("weight_map"), dict):
        files = index["weight_map"].items()
        index["weight_map"] = {tensor: _plain_name(file) for tensor, file in files}
    with open(target, "w", encoding="utf-8") as file:
        json.dump(index, file)


class SafeOpen:
    """A compressed safetensors file, with the interface of ``safetensors.safe_open``."""

    def __init__(
        self,
        filename: str | os.PathLike[str],
        framework: str = "pt",
        device: Any = "cpu",
        **_: Any,
    ) -> None:
        self._archive = open_archive(filename, framework, device)
        self.keys = self._archive.keys
        self.offset_keys = self._archive.keys
        self.metadata = self._archive.metadata
        self.get_tensor = self._archive.get_tensor
        self.get_slice = self._archive.get_slice

    def get_tensors(self) -> dict[str, Any]:
        """Return all tensors."""
        return {name: self.get_tensor(name) for name in self.keys()}

    def __enter__(self) -> SafeOpen:
        return self

    def __exit__(self, *exception: object) -> None:
        """Do nothing: the file is closed when the archive is no longer used."""


def lazy_state_dict(directory: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the tensors of a model in a directory. Each is read when it is indexed."""
    tensors: dict[str, Any] = {}
    for name in _weights(directory):
        archive = open_archive(os.path.join(directory, name), "torch")
        tensors.update((tensor, archive.get_slice(tensor)) for tensor in archive)
    return tensors


def _weights(directory: str | os.PathLike[str]) -> list[str]:
    """Return the names of the compressed weights, by the index if there is one."""
    index = os.path.join(directory, "model.safetensors.index.json")
    if not os.path.exists(index):
        return ["model.safetensors" + _SUFFIX]
    with open(index, encoding="utf-8") as file:
        names = set(json.load(file)["weight_map"].values())
    return sorted({name.removesuffix(_SUFFIX) + _SUFFIX for name in names})


def zipnn_hf(replace_local_file: bool = False) -> None:
    """Let ``from_pretrained`` of transformers read weights whose names end with ``.znn``.

    Raises an ``ImportError`` if this version of transformers lacks what is patched. Files are never
    replaced.
    """
    if replace_local_file:
        raise ValueError("files are not replaced: use `zipnn decompress --rm`")
    utils = importlib.import_module("transformers.modeling_utils")
    if getattr(utils, "_reads_zipnn", False):
        return
    missing = [name for name in _NAMES if not hasattr(utils, name)]
    if missing:
        raise ImportError(
            f"this version of transformers has no {', '.join(missing)}: use zipnn_rs.hf.view"
        )
    for name, patch in zip(_NAMES, (_open, _resolve, _shards, _cached), strict=True):
        setattr(utils, name, patch(utils, getattr(utils, name)))
    utils._reads_zipnn = True  # type: ignore[attr-defined]


def _open(_: ModuleType, plain: Any) -> Any:
    def safe_open(filename: Any, *arguments: Any, **options: Any) -> Any:
        filename = os.fspath(filename)
        if not os.path.exists(filename) and os.path.exists(filename + _SUFFIX):
            return SafeOpen(filename + _SUFFIX, *arguments, **options)
        return plain(filename, *arguments, **options)

    return safe_open


def _resolve(utils: ModuleType, plain: Any) -> Any:
    """Find a single compressed file in a local directory, which is searched without hooks."""

    def resolve(
        pretrained_model_name_or_path: Any = None,
        *,
        variant: str | None = None,
        gguf_file: Any = None,
        download_kwargs: Any = None,
        **options: Any,
    ) -> Any:
        directory = str(pretrained_model_name_or_path or "")
        if gguf_file is None and os.path.isdir(directory):
            folder = os.path.join(directory, (download_kwargs or {}).get("subfolder") or "")
            path = os.path.join(folder, utils._add_variant(utils.SAFE_WEIGHTS_NAME, variant))
            is_asked = options.get("transformers_explicit_filename") is not None
            if not is_asked and not os.path.isfile(path) and os.path.isfile(path + _SUFFIX):
                return [path], None
        return plain(
            pretrained_model_name_or_path,
            variant=variant,
            gguf_file=gguf_file,
            download_kwargs=download_kwargs,
            **options,
        )

    return resolve


def _shards(_: ModuleType, plain: Any) -> Any:
    def shards(directory: Any, index_filename: Any, **options: Any) -> Any:
        try:
            files, about = plain(directory, index_filename, **options)
        except OSError:
            # The index of a repository names the files as they were before they were compressed.
            with _compressed_names():
                files, about = plain(directory, index_filename, **options)
        weight_map = about["weight_map"].items()
        about["weight_map"] = {tensor: file.removesuffix(_SUFFIX) for tensor, file in weight_map}
        return [file.removesuffix(_SUFFIX) for file in files], about

    return shards


@contextlib.contextmanager
def _compressed_names() -> Iterator[None]:
    """Ask a repository for the compressed files."""
    hub = importlib.import_module("transformers.utils.hub")
    plain = hub.cached_files

    def cached_files(repository: Any, names: Any, **options: Any) -> Any:
        return plain(repository, [name + _SUFFIX for name in names], **options)

    hub.cached_files = cached_files  # type: ignore[attr-defined]
    try:
        yield
    finally:
        hub.cached_files = plain  # type: ignore[attr-defined]


def _cached(_: ModuleType, plain: Any) -> Any:
    quiet = {
        "_raise_exceptions_for_gated_repo": False,
        "_raise_exceptions_for_missing_entries": False,
        "_raise_exceptions_for_connection_errors": False,
    }

    def cached_file(repository: Any, filename: str, **options: Any) -> Any:
        if filename.endswith(".safetensors"):
            for name in (filename, filename + _SUFFIX):
                if found := plain(repository, name, **{**options, **quiet}):
                    return found.removesuffix(_SUFFIX)
            if plain(repository, filename + _INDEX, **{**options, **quiet}):
                # The caller asks for the index next.
                return None
        return plain(repository, filename, **options)

    return cached_file
