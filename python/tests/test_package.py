"""The package itself: importing it, and what comes with it."""

import ast
import inspect
import json
import os
import pathlib
import subprocess
import sys

import pytest
import zipnn_rs


def run(code, *options):
    command = [sys.executable, *options, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_importing_is_light():
    code = """
import json, sys, time
start = time.perf_counter()
import zipnn_rs
seconds = time.perf_counter() - start
assert zipnn_rs.decompress(zipnn_rs.compress(b'abc' * 1000)) == b'abc' * 1000
print(json.dumps([seconds, [name for name in ('numpy', 'torch') if name in sys.modules]]))
"""
    run(code)
    tries = [json.loads(run(code)) for _ in range(5)]
    assert all(loaded == [] for _, loaded in tries)
    assert min(seconds for seconds, _ in tries) < 0.05


def test_version():
    assert zipnn_rs.__version__ == zipnn_rs._native.VERSION
    assert len(zipnn_rs.__version__.split(".")) == 3


def test_names():
    for name in zipnn_rs.__all__:
        assert getattr(zipnn_rs, name) is not None


def test_the_level_can_be_forced():
    code = "import zipnn_rs; print(zipnn_rs.simd_level())"

    def level(name):
        command = [sys.executable, "-c", code]
        environment = {**os.environ, "ZIPNN_SIMD": name}
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment
        )

    assert run(code).strip()
    assert level("scalar").stdout.strip() == "scalar"
    assert "ValueError: ZIPNN_SIMD: " in level("mmx").stderr


def test_the_program():
    command = [sys.executable, "-m", "zipnn_rs", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "is in none of these folders" in done.stderr:
        pytest.skip("this wheel was built without the program")
    assert done.returncode == 0
    assert done.stdout.startswith("zipnn")


def test_a_sub_interpreter_is_refused():
    code = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
import zipnn_rs
number = interpreters.create()
script = '''
try:
    import zipnn_rs
except ImportError as error:
    print("refused:", error)
else:
    print("imported")
'''
run = getattr(interpreters, 'run_string', None) or interpreters.exec
sys.stdout.flush()
print(run(number, script) or "")
"""
    assert "refused:" in run(code)


def test_a_section_without_the_interpreter():
    """Another thread runs while the codec works on the caller's thread."""
    code = """
import threading, zipnn_rs
data = bytes(range(256)) * 400_000
ticks, done = [], threading.Event()
def tick():
    while not done.is_set():
        ticks.append(1)
        done.wait(0.001)
thread = threading.Thread(target=tick)
thread.start()
before = len(ticks)
zipnn_rs.compress_bytearray(data, 'bfloat16', threads=1)
during = len(ticks) - before
done.set()
thread.join()
print(during)
"""
    assert int(run(code)) > 5


def test_the_stubs_match():
    """The stubs have the functions, the classes and the parameters of the native part."""
    native = zipnn_rs._native
    stubs = pathlib.Path(zipnn_rs.__file__).parent / "_native.pyi"
    described = {
        item.name: item
        for item in ast.parse(stubs.read_text(encoding="utf-8")).body
        if isinstance(item, (ast.FunctionDef, ast.ClassDef))
    }
    assert set(described) | {"VERSION"} == {name for name in dir(native) if name[0] != "_"}
    for name, item in described.items():
        real = getattr(native, name)
        if isinstance(item, ast.FunctionDef):
            assert parameters(item) == list(inspect.signature(real).parameters), name
            continue
        members = {each.name: each for each in item.body if isinstance(each, ast.FunctionDef)}
        public = {each for each in vars(real) if each[0] != "_"} | {"__new__"} & set(members)
        assert set(members) == public, name
        for member, each in members.items():
            is_property = any(ast.unparse(line) == "property" for line in each.decorator_list)
            if not is_property and member != "__new__":
                signature = inspect.signature(getattr(real, member))
                assert parameters(each) == list(signature.parameters), (name, member)
        if "__new__" in members:
            assert parameters(members["__new__"])[1:] == list(inspect.signature(real).parameters)


def parameters(function):
    arguments = function.args
    return [each.arg for each in (*arguments.args, *arguments.kwonlyargs)]
