"""The list of compressed tensors in the metadata of a safetensors file."""

from __future__ import annotations

import json
from typing import Any, TypedDict

import torch

METADATA_KEY = "znn_compressed_vectors"
COMPRESSION_METHOD = "HUFFMAN"
COMPRESSED_DTYPE = torch.uint8


class CompressedTensorInfo(TypedDict):
    """The type and the shape of a tensor before it was compressed."""

    dtype: str
    shape: str


def build_compressed_tensor_info(uncompressed_tensor: torch.Tensor) -> CompressedTensorInfo:
    """Return the entry of a tensor."""
    dtype = str(uncompressed_tensor.dtype).removeprefix("torch.")
    return CompressedTensorInfo(dtype=dtype, shape=str(list(uncompressed_tensor.shape)))


def set_compressed_tensors_metadata(
    compressed_tensor_infos: dict[str, CompressedTensorInfo], metadata: dict[str, str] | None
) -> None:
    """Add the list to the metadata of a file.

    The original adds nothing to empty metadata, so that the tensors cannot be restored.
    """
    if metadata is None:
        raise ValueError("there is no metadata to which the list could be added: pass a dict")
    metadata[METADATA_KEY] = json.dumps(compressed_tensor_infos)


def get_compressed_tensors_metadata(
    metadata: dict[str, str] | None,
) -> dict[str, CompressedTensorInfo]:
    """Return the list in the metadata of a file, or an empty one."""
    listed: Any = json.loads((metadata or {}).get(METADATA_KEY) or "{}")
    return listed
