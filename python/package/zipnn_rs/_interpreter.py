"""Which interpreter of a process this is."""

from importlib import import_module


def refuse_sub_interpreters() -> None:
    """Raise an error in a sub-interpreter: the native part keeps objects of the first one."""
    # The second name is that of Python before 3.13.
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            interpreters = import_module(name)
        except ImportError:
            continue
        if interpreters.get_current() != interpreters.get_main():
            raise ImportError("zipnn_rs does not support sub-interpreters")
        return
