"""Codecs for Zarr."""

import json
import subprocess
import sys

import numpy as np
import pytest
import zipnn_rs
from conftest import matrix, weights

zarr = pytest.importorskip("zarr", minversion="3.1")
numcodecs = pytest.importorskip("numcodecs")

from zarr.storage import MemoryStore
from zipnn_rs.numcodecs import Zipnn
from zipnn_rs.zarr import ZipnnCodec

NUMBERS = np.frombuffer(weights(4_000_000, "float32"), "<f4").reshape(1000, 1000)
PIPELINES = ("BatchedCodecPipeline", "FusedCodecPipeline")
ARRAYS = {
    "float32": NUMBERS,
    "float16": NUMBERS.astype("f2"),
    "float64": NUMBERS.astype("f8"),
    "big endian": NUMBERS.astype(">f4"),
    "integers": np.arange(1_000_000).reshape(1000, 1000),
    "small integers": np.arange(1_000_000, dtype="u2").reshape(1000, 1000),
    "bytes": (NUMBERS * 1000).astype("i1"),
    "flags": NUMBERS > 0,
    "complex": NUMBERS.astype("c8"),
    "dates": np.arange(1_000_000).astype("M8[s]").reshape(1000, 1000),
    "strings": NUMBERS[:20].astype("S4"),
    "zeros": np.zeros((300, 400), "f4"),
}


@pytest.fixture(params=PIPELINES)
def _pipeline(request):
    if not hasattr(zarr.core.codec_pipeline, request.param):
        pytest.skip(f"this version of zarr has no {request.param}")
    path = f"zarr.core.codec_pipeline.{request.param}"
    with zarr.config.set({"codec_pipeline.path": path}):
        yield


@pytest.mark.usefixtures("_pipeline")
@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("kind", ARRAYS)
@pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning")
@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
def test_arrays(kind, extended):
    data = ARRAYS[kind]
    for shards in (None, (400, 400)):
        store = MemoryStore()
        written = zarr.create_array(
            store,
            data=data,
            chunks=(100, 200),
            shards=shards,
            compressors=[ZipnnCodec(extended=extended)],
        )
        read = zarr.open_array(store, mode="r")
        assert np.array_equal(read[:], data)
        assert np.array_equal(read[50:160:3, 7], data[50:160:3, 7])
        assert written.nbytes_stored() < data.nbytes
        written[3:8, 5:300] = data[10:15, 5:300]
        assert np.array_equal(read[3:8, 5:300], data[10:15, 5:300])


def test_the_type_is_in_the_metadata():
    store = MemoryStore()
    for dtype, expected in (
        ("f4", "float32"),
        ("f2", "float16"),
        ("i8", "int64"),
        (">f4", "bytes"),
    ):
        array = zarr.create_array(
            store, shape=(10,), dtype=dtype, compressors=[ZipnnCodec()], overwrite=True
        )
        codec = array.metadata.to_dict()["codecs"][-1]
        assert codec["name"] == "zipnn"
        choices = {"checksums": True, "extended": False, "max": False}
        assert codec["configuration"] == {"dtype": expected, **choices}


def test_the_codec_is_found_by_name(tmp_path):
    """A process that knows nothing of the codec reads and writes with it."""
    zarr.create_array(tmp_path / "a", data=NUMBERS, chunks=(100, 100), compressors=[ZipnnCodec()])
    code = """
import sys, zarr, numpy
array = zarr.open_array(sys.argv[1])
array[:2] = array[2:4]
zarr.create_array(sys.argv[2], data=array[:], compressors={"name": "zipnn"})
print(int(array[:].view("u4").sum()))
"""
    command = [sys.executable, "-c", code, tmp_path / "a", tmp_path / "b"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    expected = NUMBERS.copy()
    expected[:2] = expected[2:4]
    assert int(done.stdout) == int(expected.view("u4").sum())
    assert np.array_equal(zarr.open_array(tmp_path / "b")[:], expected)
    metadata = json.loads((tmp_path / "b/zarr.json").read_text())
    assert metadata["codecs"][-1]["configuration"]["dtype"] == "float32"


def test_bfloat16_as_integers():
    bits = np.frombuffer(weights(2_000_000), "u2").reshape(1000, 1000)
    codec = ZipnnCodec(dtype="bfloat16")
    array = zarr.create_array(MemoryStore(), data=bits, chunks=(500, 500), compressors=[codec])
    assert np.array_equal(array[:], bits)
    assert array.nbytes_stored() < bits.nbytes * 0.75


@pytest.mark.usefixtures("_pipeline")
def test_partial_reads_of_a_shard(monkeypatch):
    array = zarr.create_array(
        MemoryStore(),
        data=NUMBERS,
        chunks=(10, 1000),
        shards=(1000, 1000),
        compressors=[ZipnnCodec()],
    )
    lengths = []

    def decompress(data, **options):
        lengths.append(len(data))
        return plain(data, **options)

    plain = zipnn_rs._native.decompress
    monkeypatch.setattr(zipnn_rs._native, "decompress", decompress)
    assert np.array_equal(array[503:512, 3], NUMBERS[503:512, 3])
    assert len(lengths) == 2
    assert 0 < sum(lengths) < array.nbytes_stored() / 40


def test_checksums():
    for checksums in (True, False):
        store = MemoryStore()
        codec = ZipnnCodec(checksums=checksums)
        zarr.create_array(store, data=NUMBERS, chunks=(1000, 1000), compressors=[codec])
        (chunk,) = (value for key, value in store._store_dict.items() if "c/" in key)
        assert zipnn_rs.info(chunk.to_bytes())["checksums"] == checksums


def test_damage_is_located():
    store = MemoryStore()
    array = zarr.create_array(store, data=NUMBERS, chunks=(1000, 1000), compressors=[ZipnnCodec()])
    ((key, chunk),) = ((key, value) for key, value in store._store_dict.items() if "c/" in key)
    damaged = bytearray(chunk.to_bytes())
    damaged[len(damaged) // 2] ^= 1
    store._store_dict[key] = type(chunk).from_bytes(damaged)
    with pytest.raises(zipnn_rs.ZipnnError) as error:
        array[:]
    assert (error.value.code, error.value.frame) == ("ChecksumMismatch", 0)
    assert error.value.chunk is not None
    store._store_dict[key] = type(chunk).from_bytes(b"garbage")
    with pytest.raises(zipnn_rs.ZipnnError):
        array[:]


def test_wrong_configurations():
    with pytest.raises(ValueError, match="nonsense"):
        ZipnnCodec(dtype="nonsense")
    with pytest.raises(TypeError, match="checksums"):
        ZipnnCodec(checksums="no")
    with pytest.raises(TypeError, match="level"):
        ZipnnCodec.from_dict({"name": "zipnn", "configuration": {"level": 3}})
    with pytest.raises(ValueError, match="gzip"):
        ZipnnCodec.from_dict({"name": "gzip"})
    with pytest.raises(ValueError, match="nonsense"):
        Zipnn(dtype="nonsense")


@pytest.mark.parametrize("kind", ARRAYS)
@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
def test_zarr_version_2(kind):
    data = ARRAYS[kind]
    for order in "CF":
        store = MemoryStore()
        zarr.create_array(
            store, data=data, chunks=(100, 200), zarr_format=2, compressors=Zipnn(), order=order
        )
        assert np.array_equal(zarr.open_array(store, mode="r")[:], data)


def test_numcodecs():
    codec = numcodecs.get_codec({"id": "zipnn", "dtype": "float32"})
    assert isinstance(codec, Zipnn)
    assert numcodecs.get_codec(codec.get_config()) == codec
    for data in (NUMBERS, NUMBERS.T, NUMBERS.tobytes(), memoryview(NUMBERS)):
        file = codec.encode(data)
        expected = NUMBERS.tobytes()
        assert codec.decode(file) == expected
        for out in (bytearray(len(expected)), np.empty_like(NUMBERS)):
            assert codec.decode(file, out) is out
            assert bytes(out) == expected
        for length in (len(expected) - 1, len(expected) + 1):
            with pytest.raises(ValueError, match=str(len(expected))):
                codec.decode(file, bytearray(length))
    with pytest.raises(ValueError, match="contiguous"):
        codec.encode(NUMBERS[:, ::2])
    with pytest.raises(TypeError):
        codec.encode(np.array([object()]))
    ids = np.arange(100_000)
    assert len(Zipnn(extended=True).encode(ids)) < len(Zipnn().encode(ids)) / 1.5
    rows = matrix(256, 256)
    small = Zipnn(max=True).encode(rows)
    assert len(small) < len(Zipnn().encode(rows)) * 0.99
    assert bytes(Zipnn().decode(small)) == rows.tobytes()
