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


@pytest.fixture(scope="session")
def model() -> pathlib.Path:
    """A safetensors file of real weights."""
    return ROOT / "tests/data/minilm-slice.bf16.safetensors"
