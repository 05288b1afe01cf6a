#!/usr/bin/env python3
"""Writes the tensors of a safetensors file as files of PyTorch, NumPy and ONNX.

    examples/containers.py minilm-part.f32.safetensors FOLDER

docs/LAYOUTS.md lists what they shrink to. Needs NumPy, PyTorch and onnx.
"""
import json
import os
import struct
import sys

import numpy
import onnx
import torch
from onnx import helper, numpy_helper

TYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16, "I64": torch.int64}


def read_tensors(path):
    with open(path, "rb") as file:
        data = file.read()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    tensors = {}
    for name, tensor in header.items():
        begin, end = tensor["data_offsets"]
        elements = bytearray(data[start + begin:start + end])
        dtype = TYPES[tensor["dtype"]]
        tensors[name] = torch.frombuffer(elements, dtype=dtype).reshape(tensor["shape"])
    return tensors


def model_of(arrays):
    """Returns an ONNX model with the arrays as initializers."""
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    result = helper.make_tensor_value_info("x2", onnx.TensorProto.FLOAT, [1])
    node = helper.make_node("Identity", ["x"], ["x2"])
    initializers = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph([node], "graph", [value], [result], initializers)
    return helper.make_model(graph, ir_version=9)


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: containers.py IN.safetensors FOLDER")
    source, folder = sys.argv[1:]
    tensors = read_tensors(source)
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    torch.save(tensors, "model.pt")
    # NumPy has no bfloat16.
    if any(tensor.dtype == torch.bfloat16 for tensor in tensors.values()):
        return
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    numpy.savez("model.npz", **arrays)
    numpy.savez_compressed("compressed.npz", **arrays)
    model = model_of(arrays)
    onnx.save(model, "model.onnx")
    # Data would be appended to a file of an earlier run.
    if os.path.exists("apart.onnx.data"):
        os.remove("apart.onnx.data")
    onnx.save(model, "apart.onnx", save_as_external_data=True, location="apart.onnx.data",
              size_threshold=1024)


main()
