"""Data that the tests share: made on the spot, and the real weights of the repository."""

import pathlib

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TYPES = ("bfloat16", "float16", "float32", "float8_e4m3fn", "float8_e5m2")


def weights(length: int, dtype: str = "bfloat16", seed: int = 0) -> bytes:
    """Return ``length`` bytes of numbers as they are in models."""
    numbers = np.random.default_rng(seed).normal(0, 0.02, length // 2 + 4).astype("<f4")
    if dtype == "float16":
        return numbers.astype("<f2").tobytes()[:length]
    if dtype == "bfloat16":
        return (numbers.view("<u4") >> 16).astype("<u2").tobytes()[:length]
    if dtype == "float32":
        return numbers.tobytes()[:length]
    return np.random.default_rng(seed).binomial(255, 0.3, length).astype("u1").tobytes()


def matrix(rows: int, columns: int) -> np.ndarray:
    """Return float32 weights whose rows and columns have scales of their own, as in models."""
    random = np.random.default_rng(7)
    scales = np.exp2(random.normal(0, 1, (rows, 1)) + random.normal(0, 1, (1, columns)))
    return (random.normal(0, 0.02, (rows, columns)) * scales).astype("<f4")


@pytest.fixture(scope="session")
def model() -> pathlib.Path:
    """A safetensors file of real weights."""
    return ROOT / "tests/data/minilm-slice.bf16.safetensors"
