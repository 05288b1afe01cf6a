#!/usr/bin/env python3
"""Writes the files of this folder, and `expected.json` with the tensors in them.

Needs NumPy, PyTorch and onnx. The tests do not run it: they read the files.
"""

import collections
import json

import numpy
import onnx
import torch
from onnx import helper, numpy_helper

NAMES = {
    "float32": "F32", "float16": "F16", "bfloat16": "BF16", "float64": "F64", "int64": "I64",
    "int32": "I32", "int8": "I8", "uint8": "U8", "uint16": "U16", "bool": "BOOL",
    "float8_e4m3fn": "F8_E4M3", "float8_e8m0fnu": "F8_E8M0",
}
expected = {}


def expect(file, name, dtype, shape, data):
    tensors = expected.setdefault(file, {})
    tensors[name] = {"dtype": dtype, "shape": list(shape), "hex": bytes(data).hex()}


def expect_torch(file, name, tensor):
    data = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    expect(file, name, NAMES[str(tensor.dtype).removeprefix("torch.")], tensor.shape, data)


def write_torch():
    weights = torch.randn(8, 6)
    state = collections.OrderedDict(
        weight=weights,
        tied=weights,
        rows=weights[2:4],
        turned=torch.randn(3, 2).t(),
        half=torch.randn(5).half(),
        parameter=torch.nn.Parameter(torch.randn(3, 4).bfloat16()),
        f8=torch.randn(16).to(torch.float8_e4m3fn),
        scale=torch.ones(4).to(torch.float8_e8m0fnu),
        u16=torch.arange(4, dtype=torch.int32).to(torch.uint16),
        number=torch.tensor(3),
        empty=torch.zeros(0),
        nested={"lr": 1e-3, "list": [1, -2, 2**70, (torch.ones(2, dtype=torch.int8),)], 7: torch.tensor([True])},
        more=(True, None, b"bytes", "text"),
    )
    state._metadata = {"version": 1}
    for file, protocol in [("state.pt", 2), ("state4.pt", 4)]:
        torch.save(state, file, pickle_protocol=protocol)
        for name in ["weight", "tied", "rows", "half", "parameter", "f8", "scale", "u16", "number", "empty"]:
            expect_torch(file, name, state[name])
        expect_torch(file, "nested.list.3.0", state["nested"]["list"][3][0])
        expect_torch(file, "nested.7", state["nested"][7])
        # The elements of a transposed tensor are stored in another order.
        expect_torch(file, "data/1", state["turned"].t().reshape(-1))
    torch.save(torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)), "module.pt")
    module = torch.load("module.pt", weights_only=False)
    for name, tensor in module.state_dict().items():
        expect_torch("module.pt", name, tensor)


def expect_numpy(file, name, array):
    # Elements in Fortran's order are listed as one dimension.
    is_turned = array.ndim > 1 and array.flags.f_contiguous
    shape = [array.size] if is_turned else array.shape
    dtype = NAMES.get(str(array.dtype), array.dtype.str)
    expect(file, name, dtype, shape, array.tobytes("A"))


def write_numpy():
    arrays = {
        "matrix": numpy.arange(12, dtype="f4").reshape(3, 4),
        "turned": numpy.asfortranarray(numpy.arange(6, dtype="f2").reshape(2, 3)),
        "ids": numpy.arange(5, dtype="i8"),
        "big": numpy.arange(3, dtype=">f8"),
        "scalar": numpy.float32(1.5),
        "flags": numpy.array([True, False]),
        "words": numpy.array(["ab", "c"]),
        "folder/bytes": numpy.arange(9, dtype="u1"),
    }
    structs = numpy.zeros(2, dtype=[("a", "f4"), ("b", "i2")])
    numpy.savez("arrays.npz", structs=structs, **arrays)
    numpy.savez_compressed("compressed.npz", **arrays)
    for name, array in arrays.items():
        expect_numpy("arrays.npz", name, numpy.asarray(array))
    numpy.save("matrix.npy", arrays["matrix"])
    expect_numpy("matrix.npy", "array", arrays["matrix"])


def write_onnx():
    arrays = {
        "w": numpy.random.default_rng(1).standard_normal((40, 9)).astype("f4"),
        "h": numpy.arange(6, dtype="f2").reshape(2, 3),
        "ids": numpy.arange(4, dtype="i8"),
    }
    initializers = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    listed = [helper.make_tensor("listed", onnx.TensorProto.FLOAT, [3], [1, 2, 3])]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 40])
    result = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 9])
    graph = helper.make_graph([node], "graph", [value], [result], initializers + listed)
    model = helper.make_model(graph, producer_name="zipnn", ir_version=9)
    onnx.save(model, "model.onnx")
    onnx.save(model, "apart.onnx", save_as_external_data=True, location="apart.onnx.data",
              size_threshold=0)
    for name, array in arrays.items():
        expect_numpy("model.onnx", name, array)
        expect_numpy("apart.onnx.data", name, array)
    expect_numpy("model.onnx", "listed", numpy.array([1, 2, 3], dtype="f4"))
    expect_numpy("apart.onnx", "listed", numpy.array([1, 2, 3], dtype="f4"))


torch.manual_seed(1)
write_torch()
write_numpy()
write_onnx()
with open("expected.json", "w") as out:
    json.dump(expected, out, indent=1)
    out.write("\n")
