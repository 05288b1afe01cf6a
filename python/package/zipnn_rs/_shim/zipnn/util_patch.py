"""Patches that are also applied in the processes that this process starts."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

patches_applied: dict[Callable[[], None], None] = {}


def multi_process_patcher(patch_func: Callable[[], None]) -> None:
    """Apply a patch, once in this process and in each that ``multiprocessing`` starts."""
    if patch_func in patches_applied:
        return
    patches_applied[patch_func] = None
    patch_func()
    start = BaseProcess.start

    def patched_start(self: Any) -> None:
        if self._target is not None:
            self._target = TargetWrapper(self._target, patch_func)
        start(self)

    BaseProcess.start = patched_start  # type: ignore[method-assign]


class TargetWrapper:
    """The target of a process, before which a patch is applied."""

    def __init__(self, target: Callable[..., Any], patch_func: Callable[[], None]) -> None:
        self.target = target
        self.patch_func = patch_func

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        multi_process_patcher(self.patch_func)
        return self.target(*args, **kwargs)
