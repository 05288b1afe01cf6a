"""Properties that hold for any data, type, shape and stride."""

import numpy as np
import pytest
import zipnn_rs
from conftest import TYPES

hypothesis = pytest.importorskip("hypothesis")
arrays = pytest.importorskip("hypothesis.extra.numpy")

from hypothesis import given, settings
from hypothesis import strategies as st

settings.register_profile("zipnn", max_examples=80, deadline=None, database=None)
settings.load_profile("zipnn")

DTYPES = st.one_of(
    arrays.floating_dtypes(endianness="?"),
    arrays.integer_dtypes(endianness="?"),
    arrays.unsigned_integer_dtypes(endianness="?"),
    arrays.complex_number_dtypes(endianness="?"),
    arrays.boolean_dtypes(),
    arrays.datetime64_dtypes(),
    arrays.byte_string_dtypes(min_len=1, max_len=5),
)
PROFILES = st.sampled_from(({}, {"extended": True}, {"max": True}))
SHAPES = arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=40)


@st.composite
def any_array(draw):
    """Return an array of any type, shape and stride, empty and of no dimensions included."""
    dtype = draw(DTYPES)
    shape = draw(SHAPES)
    seed = draw(st.integers(0, 1 << 32))
    count = int(np.prod(shape)) * dtype.itemsize
    content = np.random.default_rng(seed).bytes(count)
    if draw(st.booleans()):
        # Data that compresses: few different bytes.
        content = bytes(byte & 3 for byte in content)
    if dtype.kind == "b":
        content = bytes(byte & 1 for byte in content)
    array = np.ndarray(shape, dtype, content)
    if draw(st.booleans()):
        array = array.T
    if array.ndim and draw(st.booleans()):
        array = array[:: draw(st.sampled_from((1, 2, -1, -3)))]
    return array


@given(any_array(), st.booleans(), PROFILES, st.sampled_from((1, 2)))
def test_arrays(array, checksums, profile, threads):
    before = array.tobytes()
    options = {"checksums": checksums, "threads": threads, **profile}
    file = zipnn_rs.compress(array, **options)
    assert array.tobytes() == before
    assert zipnn_rs.compress_bytearray(array, **options) == file
    assert zipnn_rs.decompress(file, threads=threads) == before
    assert zipnn_rs.decoded_len(file) == array.nbytes
    target = np.zeros(array.shape, array.dtype)
    assert zipnn_rs.decompress_into(file, target, threads=threads) == array.nbytes
    assert target.tobytes() == before
    bound = zipnn_rs.compress_bound(array.nbytes, checksums=checksums, **profile)
    assert len(file) <= bound


@given(
    st.binary(max_size=5000),
    st.sampled_from((None, *TYPES, "int64", "uint16", "bool")),
    st.integers(1, 3000),
    st.integers(1, 700),
)
def test_streams(data, dtype, frame_len, part):
    compressor = zipnn_rs.Compressor(dtype, frame_len=frame_len)
    pieces = [compressor.compress(data[at : at + part]) for at in range(0, len(data), part)]
    file = b"".join(pieces) + compressor.flush()
    assert zipnn_rs.decompress(file) == data
    decompressor = zipnn_rs.Decompressor()
    pieces = [
        decompressor.decompress(file[at : at + part], part) for at in range(0, len(file), part)
    ]
    while not decompressor.eof:
        pieces.append(decompressor.decompress(b"", part))
    assert all(len(piece) <= part for piece in pieces)
    assert b"".join(pieces) == data


@given(st.binary(min_size=1, max_size=3000), st.binary(min_size=1, max_size=3000), PROFILES)
def test_differences(base, tuned, profile):
    base = base.ljust(len(tuned), b"\0")[: len(tuned)]
    file = zipnn_rs.compress(tuned, "bfloat16", base=base, **profile)
    assert zipnn_rs.decompress(file, base=base) == tuned
    if tuned != base:
        with pytest.raises(zipnn_rs.ZipnnError) as error:
            zipnn_rs.decompress(file, base=tuned)
        assert error.value.code == "WrongBase"


@given(st.binary(max_size=2000), st.data())
def test_damage_never_goes_unnoticed(data, choice):
    file = bytearray(zipnn_rs.compress(data, choice.draw(st.sampled_from(TYPES))))
    at = choice.draw(st.integers(0, len(file) - 1))
    file[at] ^= choice.draw(st.integers(1, 255))
    try:
        assert zipnn_rs.decompress(file) == data
    except zipnn_rs.ZipnnError as error:
        assert error.code and str(error)


@given(st.binary(max_size=300), st.booleans())
def test_garbage_is_an_error_or_data(garbage, has_magic):
    garbage = b"ZN\0\5\4" + garbage if has_magic else garbage
    for call in (zipnn_rs.decompress, zipnn_rs.verify, zipnn_rs.info, zipnn_rs.decoded_len):
        try:
            call(garbage)
        except zipnn_rs.ZipnnError as error:
            assert error.code and str(error)


@given(any_array(), st.data())
def test_tensors_of_an_archive(array, choice):
    safetensors = pytest.importorskip("test_archive").safetensors
    import io

    rows = np.ascontiguousarray(array).reshape(-1).view("u1")
    content = safetensors({"a": ("U8", [len(rows)], rows.tobytes())})
    archive = zipnn_rs.open_archive(io.BytesIO(zipnn_rs.compress(content, "bfloat16")))
    start = choice.draw(st.integers(-len(rows) - 2, len(rows) + 2))
    end = choice.draw(st.integers(-len(rows) - 2, len(rows) + 2))
    step = choice.draw(st.sampled_from((None, 1, 2, -1, -7)))
    part = archive.get_slice("a")[start:end:step]
    assert np.array_equal(part, rows[start:end:step])
