"""Whole inputs in one call."""

import array
import mmap
import os
import pickle
import struct
import subprocess
import sys
import threading

import numpy as np
import pytest
import zipnn_rs
from conftest import TYPES, matrix, weights

LENGTHS = (0, 1, 2, 3, 5, 1000, 262_143, 262_144, 262_145, 3_000_001)


@pytest.mark.parametrize("threads", [0, 1, 3])
@pytest.mark.parametrize("dtype", TYPES)
def test_round_trip(dtype, threads):
    for length in LENGTHS:
        data = weights(length, dtype)
        file = zipnn_rs.compress(data, dtype, threads=threads)
        assert type(file) is bytes
        decoded = zipnn_rs.decompress(file, threads=threads)
        assert type(decoded) is bytearray
        assert decoded == data
        assert zipnn_rs.decoded_len(file) == zipnn_rs.verify(file) == length


@pytest.mark.parametrize("dtype", [*TYPES, None])
def test_every_way_writes_the_same(dtype):
    for length in LENGTHS:
        data = weights(length, dtype or "float32")
        file = zipnn_rs.compress(data, dtype, threads=1)
        assert zipnn_rs.compress(data, dtype, threads=2) == file
        written = zipnn_rs.compress_bytearray(data, dtype)
        assert type(written) is bytearray
        assert written == file
        out = bytearray(zipnn_rs.compress_bound(length, dtype))
        count = zipnn_rs.compress_into(data, out, dtype)
        assert out[:count] == file


def test_inputs_of_every_kind(tmp_path):
    data = weights(5_000_000)
    file = zipnn_rs.compress(data, "bfloat16")
    path = tmp_path / "data"
    path.write_bytes(data)
    with open(path, "rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as map:
        kinds = (
            bytearray(data),
            memoryview(data),
            memoryview(bytearray(data)),
            array.array("H", data),
            np.frombuffer(data, "u2"),
            map,
        )
        for kind in kinds:
            assert zipnn_rs.compress(kind, "bfloat16") == file
        del kinds, kind
    for kind in (bytearray(file), memoryview(file), np.frombuffer(file, "u1")):
        assert zipnn_rs.decompress(kind) == data


def test_arrays_of_every_shape_and_stride():
    whole = np.frombuffer(weights(240_000, "float32"), "f4").reshape(20, 30, 100)
    arrays = (
        whole,
        whole.T,
        whole[::2, ::-1],
        whole[3, 4, 5],
        whole[:0],
        np.array(1.5),
        np.empty((0, 3), "f2"),
        np.asfortranarray(whole[0]),
        np.broadcast_to(whole[0, 0, :3], (5, 3)),
        whole > 0,
        whole.astype("i8"),
        whole.astype(">f4"),
        whole.astype("c16"),
    )
    for each in arrays:
        before = each.copy()
        file = zipnn_rs.compress(each)
        assert zipnn_rs.decompress(file) == each.tobytes()
        assert np.array_equal(before, each)


def test_the_type_comes_from_the_array():
    numbers = np.frombuffer(weights(4000, "float16"), "f2")
    assert zipnn_rs.info(zipnn_rs.compress(numbers))["dtype"] == "float16"
    file = zipnn_rs.compress(numbers)
    for dtype in ("float16", np.float16, np.dtype("f2")):
        assert zipnn_rs.compress(numbers.tobytes(), dtype) == file


def test_types_of_ml_dtypes():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for dtype in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
        kind = getattr(ml_dtypes, dtype)
        numbers = np.frombuffer(weights(4000, dtype), kind)
        file = zipnn_rs.compress(numbers)
        assert file == zipnn_rs.compress(numbers.tobytes(), kind)
        assert zipnn_rs.info(file)["dtype"] == dtype


def test_integers_compress_without_a_type():
    ids = np.arange(100_000, dtype="i4")
    assert len(zipnn_rs.compress(ids)) < ids.nbytes * 0.6
    assert len(zipnn_rs.compress(ids.tobytes())) < ids.nbytes * 0.6


def test_inputs_that_cannot_be_used():
    for data in ("text", 5, None, [1, 2], {}, np.array([object()])):
        with pytest.raises(TypeError):
            zipnn_rs.compress(data)
    with pytest.raises(ValueError, match="nonsense"):
        zipnn_rs.compress(b"", "nonsense")
    with pytest.raises(BufferError, match="contiguous"):
        zipnn_rs.compress(memoryview(bytes(100))[::2])


def test_decompress_into_every_target():
    data = weights(3_000_000)
    file = zipnn_rs.compress(data, "bfloat16")
    for target in (bytearray(3_000_000), np.zeros(3_000_010, "u1"), np.zeros((3, 500_000), "u2")):
        assert zipnn_rs.decompress_into(file, target) == len(data)
        assert bytes(target)[: len(data)] == data


def test_targets_that_cannot_be_used():
    data = weights(30_000)
    file = zipnn_rs.compress(data, "bfloat16")
    read_only = np.zeros(30_000, "u1")
    read_only.flags.writeable = False
    for target in (bytes(30_000), memoryview(bytes(30_000)), read_only):
        with pytest.raises(ValueError, match="read-only"):
            zipnn_rs.decompress_into(file, target)
    with pytest.raises(ValueError, match="contiguous"):
        zipnn_rs.decompress_into(file, np.zeros((2, 30_000), "u1")[:, ::2])
    with pytest.raises(zipnn_rs.ZipnnError) as error:
        zipnn_rs.decompress_into(file, bytearray(29_999))
    assert error.value.code == "OutputTooSmall"
    with pytest.raises(zipnn_rs.ZipnnError) as error:
        zipnn_rs.compress_into(data, bytearray(10), "bfloat16")
    assert error.value.code == "OutputTooSmall"


def test_input_and_target_must_not_overlap():
    memory = np.frombuffer(bytearray(weights(2_000_000)), "u1")
    with pytest.raises(ValueError):
        zipnn_rs.compress_into(memory[:1_000_000], memory, "bfloat16")


def test_differences():
    base = weights(400_000)
    tuned = bytearray(base)
    tuned[1000:1100] = bytes(100)
    file = zipnn_rs.compress(tuned, "bfloat16", base=base)
    assert len(file) < len(tuned) / 10
    assert zipnn_rs.compress_bytearray(tuned, "bfloat16", base=base) == file
    assert zipnn_rs.decompress(file, base=base) == tuned
    assert zipnn_rs.info(file)["delta"] == "byte"
    for wrong, code in ((tuned, "WrongBase"), (base[:-1], "BaseLength"), (None, "BaseRequired")):
        with pytest.raises(zipnn_rs.ZipnnError) as error:
            zipnn_rs.decompress(file, base=wrong)
        assert error.value.code == code
    with pytest.raises(zipnn_rs.ZipnnError) as error:
        zipnn_rs.decompress(zipnn_rs.compress(base), base=base)
    assert error.value.code == "NotADelta"


def test_damage_is_located():
    data = weights(2_000_000)
    file = bytearray(zipnn_rs.compress(data, "bfloat16"))
    file[len(file) // 2] ^= 1
    for threads in (1, 2):
        with pytest.raises(zipnn_rs.ZipnnError) as error:
            zipnn_rs.decompress(file, threads=threads)
        assert error.value.frame == 0
        assert error.value.chunk is not None
        assert f"chunk {error.value.chunk}" in str(error.value)
    copy = pickle.loads(pickle.dumps(error.value))
    assert (str(copy), copy.code, copy.chunk) == (
        str(error.value),
        error.value.code,
        error.value.chunk,
    )


def test_garbage_and_truncation_raise():
    file = zipnn_rs.compress(weights(5000), "bfloat16")
    for length in range(len(file)):
        with pytest.raises(zipnn_rs.ZipnnError):
            zipnn_rs.decompress(file[:length])
    random = np.random.default_rng(1)
    for _ in range(300):
        garbage = file[:32] + random.bytes(500)
        with pytest.raises(zipnn_rs.ZipnnError):
            zipnn_rs.decompress(garbage)
        with pytest.raises(zipnn_rs.ZipnnError):
            zipnn_rs.verify(random.bytes(100))


def test_max_output():
    file = zipnn_rs.compress(weights(5000), "bfloat16")
    assert zipnn_rs.decompress(file, max_output=5000) == weights(5000)
    with pytest.raises(zipnn_rs.ZipnnError) as error:
        zipnn_rs.decompress(file, max_output=4999)
    assert error.value.code == "LimitExceeded"


def test_choices():
    data = bytes(1_000_000)
    info = zipnn_rs.info(zipnn_rs.compress(data, "bfloat16"))
    assert info["checksums"]
    plain = zipnn_rs.compress(data, "bfloat16", checksums=False)
    assert not zipnn_rs.info(plain)["checksums"]
    sparse = bytearray(1_000_000)
    sparse[::1000] = bytes(range(250)) * 4
    small = zipnn_rs.compress(sparse, "bfloat16", extended=True)
    assert len(small) < len(zipnn_rs.compress(sparse, "bfloat16")) / 2
    assert zipnn_rs.decompress(small) == sparse


def test_max_is_the_smallest_in_every_call(tmp_path):
    rows = matrix(1000, 512)
    larger = len(zipnn_rs.compress(rows, extended=True, max=False))
    file = zipnn_rs.compress(rows, max=True)
    assert len(file) < larger * 0.99
    assert zipnn_rs.compress(rows, max=True, extended=True, threads=2) == file
    assert zipnn_rs.compress_bytearray(rows, max=True) == file
    out = bytearray(zipnn_rs.compress_bound(rows.nbytes, "float32", max=True))
    assert zipnn_rs.compress_into(rows, out, max=True) == len(file)
    assert out[: len(file)] == file
    assert zipnn_rs.decompress(file) == rows.tobytes()

    compressor = zipnn_rs.Compressor("float32", max=True)
    stream = compressor.compress(rows) + compressor.flush()
    with zipnn_rs.open(tmp_path / "a.znn", "wb", "float32", max=True) as opened:
        opened.write(rows.tobytes())
    (tmp_path / "a").write_bytes(rows.tobytes())
    zipnn_rs.compress_file(tmp_path / "a", tmp_path / "b.znn", "float32", max=True)
    for file in (stream, (tmp_path / "a.znn").read_bytes(), (tmp_path / "b.znn").read_bytes()):
        assert len(file) < larger * 0.99
        assert zipnn_rs.decompress(file) == rows.tobytes()


def test_a_panic_is_an_exception():
    for threads in (1, 2):
        with pytest.raises(RuntimeError, match="as the tests asked"):
            zipnn_rs._native.panic_for_tests(threads)
    assert zipnn_rs.decompress(zipnn_rs.compress(b"abc")) == b"abc"


def test_many_threads_at_once():
    data = weights(3_000_000)
    file = zipnn_rs.compress(data, "bfloat16")
    results = []

    def work():
        for threads in (0, 1, 2):
            decoded = zipnn_rs.decompress(file, threads=threads)
            results.append(zipnn_rs.compress(decoded, "bfloat16", threads=threads) == file)

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results == [True] * 18


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own():
    data = weights(3_000_000)
    file = zipnn_rs.compress(data, "bfloat16", threads=2)
    child = os.fork()
    if child == 0:
        same = zipnn_rs.decompress(zipnn_rs.compress(data, "bfloat16", threads=2)) == data
        os._exit(0 if same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert zipnn_rs.decompress(file, threads=2) == data


PEAK = """
import sys, threading
import numpy, zipnn_rs, zipnn_rs._memory

def memory():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon"))

name = sys.argv[1]
before = memory()
bits = numpy.random.default_rng(0).normal(0, 0.02, 20_000_000).astype("f4").view("u4") >> 16
data = bits.astype("u2").tobytes()
del bits
call = getattr(zipnn_rs, name)
if name == "decompress":
    data = zipnn_rs.compress(data, "bfloat16", threads=1)
    arguments = (data,)
else:
    arguments = (data, "bfloat16")
peak, is_done = 0, threading.Event()

def watch():
    global peak
    while not is_done.wait(0.0005):
        peak = max(peak, memory())

watcher = threading.Thread(target=watch)
watcher.start()
result = call(*arguments, threads=1)
is_done.set()
watcher.join()
print((peak - before) / (len(data) + len(result)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not report its memory")
@pytest.mark.parametrize(
    ("name", "most"), [("decompress", 1.1), ("compress_bytearray", 1.1), ("compress", 1.3)]
)
def test_the_peak_of_memory(name, most):
    """It is little more than the input and the output."""
    command = [sys.executable, "-c", PEAK, name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 0.5 < float(done.stdout) <= most, done.stdout


def gguf(blocks: int) -> bytes:
    """Return a GGUF file with one tensor of the type Q8_0."""
    name = b"weights"
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 0)
    # The name, one dimension, the type and the offset of the tensor.
    head += struct.pack("<Q", len(name)) + name + struct.pack("<IQIQ", 1, 32 * blocks, 8, 0)
    random = np.random.default_rng(5)
    scales = (random.normal(0, 1, blocks) * 1e-3).astype("<f2").view("u1").reshape(blocks, 2)
    numbers = np.clip(random.normal(0, 40, (blocks, 32)), -127, 127).astype("i1").view("u1")
    return head.ljust(-(-len(head) // 32) * 32, b"\0") + np.hstack([scales, numbers]).tobytes()


def test_quantised_tensors_of_a_file_are_records(tmp_path):
    source, sizes = tmp_path / "model.gguf", []
    source.write_bytes(gguf(20_000))
    for profile in ({}, {"extended": True}):
        target = tmp_path / f"{len(sizes)}.znn"
        sizes.append(zipnn_rs.compress_file(source, target, **profile))
        assert zipnn_rs.decompress(target.read_bytes()) == source.read_bytes()
    assert sizes[1] < sizes[0] * 0.99
