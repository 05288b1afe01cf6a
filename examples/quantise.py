#!/usr/bin/env python3
"""Quantises the float32 matrices of a safetensors file as common checkpoints do.

    examples/quantise.py minilm-part.f32.safetensors FOLDER

Writes a safetensors file for each scheme. docs/LAYOUTS.md lists what they shrink to. Needs NumPy
and ml_dtypes.
"""
import json
import os
import struct
import sys

import ml_dtypes
import numpy as np

# Magnitudes of four-bit floats.
E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], "f4")
E2M1_MAX = 6
E4M3_MAX = 448
# Quantiles of a normal distribution, as bitsandbytes defines them.
NF4 = np.array([
    -1.0, -0.6961928, -0.52507305, -0.39491749, -0.28444138, -0.18477343, -0.09105004, 0.0,
    0.0795803, 0.1609302, 0.24611230, 0.33791524, 0.44070983, 0.56261700, 0.72295684, 1.0,
], "f4")
# The order in which AWQ packs eight values.
AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]
# Added to the exponents of powers of two.
E8M0_BIAS = 127
# Scales are at least as large, because divisors must not be 0 as float16 or float32.
LEAST_FLOAT16 = 1e-7
LEAST_FLOAT32 = 1e-30


def read_matrices(path):
    """Returns the matrices whose sides the schemes can divide into groups."""
    with open(path, "rb") as file:
        data = file.read()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    matrices = {}
    for name, tensor in header.items():
        shape = tensor["shape"]
        is_matrix = tensor["dtype"] == "F32" and len(shape) == 2
        if is_matrix and shape[0] % 64 == 0 and shape[1] % 128 == 0:
            begin, end = tensor["data_offsets"]
            matrices[name] = np.frombuffer(data[start + begin:start + end], "f4").reshape(shape)
    return matrices


def write(path, tensors):
    """Writes tensors: types, shapes and bytes by their names."""
    header, parts, at = {}, [], 0
    for name, (dtype, shape, data) in tensors.items():
        end = at + len(data)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, end]}
        parts.append(data)
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(parts))


def tensor(dtype, array, shape=None):
    """Returns a tensor with the bytes of an array."""
    return dtype, array.shape if shape is None else shape, np.ascontiguousarray(array).tobytes()


def groups(matrix, length):
    """Divides the rows into groups."""
    return matrix.reshape(matrix.shape[0], -1, length)


def largest(values):
    """Returns the largest magnitude of each group."""
    return np.abs(values).max(-1)


def exponents(values, most):
    """Returns exponents of powers of two that scale groups to below 2 ** (most + 1)."""
    return np.floor(np.log2(np.maximum(largest(values), LEAST_FLOAT32))) - most


def to_e8m0(exponent):
    return (exponent + E8M0_BIAS).astype("u1")


def to_e2m1(values):
    """Rounds to four-bit floats: a sign, two bits of the exponent, one of the mantissa."""
    values = np.clip(values, -E2M1_MAX, E2M1_MAX)
    magnitude = np.searchsorted((E2M1[1:] + E2M1[:-1]) / 2, np.abs(values)).astype("u1")
    return magnitude | (values < 0).astype("u1") << 3


def to_e4m3(values):
    return np.clip(values, -E4M3_MAX, E4M3_MAX).astype(ml_dtypes.float8_e4m3fn).view("u1")


def to_bfloat16(values):
    """Converts to bfloat16 by dropping the lower half."""
    return (values.astype("f4").view("u4") >> 16).astype("u2")


def pack4(values):
    """Packs pairs of four-bit values into bytes, the first one lowest."""
    return values[..., 0::2] | values[..., 1::2] << 4


def pack32(values, order=range(8)):
    """Packs eight four-bit values along the last axis into 32 bits, in an order."""
    packed = np.zeros((*values.shape[:-1], values.shape[-1] // 8), "u4")
    for place, number in enumerate(order):
        packed |= values[..., number::8].astype("u4") << np.uint32(4 * place)
    return packed


def to_int4(matrix):
    """Quantises groups of 128 inputs. Returns values, scales and zero points."""
    grouped = groups(matrix, 128)
    low, high = np.minimum(grouped.min(-1), 0), np.maximum(grouped.max(-1), 0)
    scales = np.maximum((high - low) / 15, LEAST_FLOAT16).astype("f2").astype("f4")
    zeros = np.clip(np.round(-low / scales), 0, 15)
    values = np.clip(np.round(grouped / scales[..., None]) + zeros[..., None], 0, 15)
    return values.astype("u4").reshape(matrix.shape), scales, zeros.astype("u4")


def to_symmetric_int4(matrix):
    """Quantises groups of 128 inputs, all with the zero point 8."""
    grouped = groups(matrix, 128)
    scales = np.maximum(largest(grouped) / 7, LEAST_FLOAT16).astype("f2").astype("f4")
    values = np.clip(np.round(grouped / scales[..., None]) + 8, 0, 15)
    return values.astype("u4").reshape(matrix.shape), scales, np.full(scales.shape, 8, "u4")


def mxfp4(name, matrix):
    """The way of gpt-oss: both tensors have the type U8."""
    grouped = groups(matrix, 32)
    exponent = exponents(grouped, 2)
    yield name + "_blocks", tensor("U8", pack4(to_e2m1(grouped / np.exp2(exponent)[..., None])))
    yield name + "_scales", tensor("U8", to_e8m0(exponent))


def mxfp4_f4(name, matrix):
    grouped = groups(matrix, 32)
    exponent = exponents(grouped, 2)
    packed = pack4(to_e2m1(grouped / np.exp2(exponent)[..., None]))
    yield name, tensor("F4", packed, matrix.shape)
    yield name + "_scale", tensor("F8_E8M0", to_e8m0(exponent))


def mxfp8(name, matrix):
    grouped = groups(matrix, 32)
    exponent = exponents(grouped, 8)
    yield name, tensor("F8_E4M3", to_e4m3(grouped / np.exp2(exponent)[..., None]), matrix.shape)
    yield name + "_scale", tensor("F8_E8M0", to_e8m0(exponent))


def nvfp4(name, matrix):
    """Groups of 16 have scales in float8, relative to one scale of the matrix."""
    grouped = groups(matrix, 16)
    whole = max(np.abs(matrix).max() / (E2M1_MAX * E4M3_MAX), np.float32(LEAST_FLOAT32))
    scales = (largest(grouped) / E2M1_MAX / whole).astype(ml_dtypes.float8_e4m3fn)
    divisors = np.maximum(scales.astype("f4") * whole, 1e-12)
    packed = pack4(to_e2m1(grouped / divisors[..., None]).reshape(matrix.shape))
    yield name, tensor("U8", packed)
    yield name + "_scale", tensor("F8_E4M3", scales.view("u1"))
    yield name + "_scale_2", tensor("F32", np.array(whole, "f4"))


def gptq(name, matrix, quantise=to_int4):
    """Values are packed along the inputs, and zero points along the outputs, less 1."""
    values, scales, zeros = quantise(matrix)
    yield name + ".qweight", tensor("I32", pack32(values).T)
    yield name + ".qzeros", tensor("I32", pack32((zeros.T - 1) & 15))
    yield name + ".scales", tensor("F16", scales.T.astype("f2"))
    yield name + ".g_idx", tensor("I32", (np.arange(matrix.shape[1]) // 128).astype("i4"))


def gptq_symmetric(name, matrix):
    return gptq(name, matrix, to_symmetric_int4)


def awq(name, matrix):
    """Values and zero points are packed along the outputs."""
    values, scales, zeros = to_int4(matrix)
    yield name + ".qweight", tensor("I32", pack32(values.T, AWQ_ORDER))
    yield name + ".qzeros", tensor("I32", pack32(zeros.T, AWQ_ORDER))
    yield name + ".scales", tensor("F16", scales.T.astype("f2"))


def bnb_nf4(name, matrix):
    """Blocks of 64 have scales, which are quantised in blocks of 256."""
    blocks = matrix.reshape(-1, 64)
    scales = np.maximum(largest(blocks), 1e-12)
    values = np.searchsorted((NF4[1:] + NF4[:-1]) / 2, blocks / scales[:, None]).astype("u1")
    values = values.reshape(-1)
    centred = scales - scales.mean()
    nested = np.concatenate([centred, np.zeros(-len(centred) % 256, "f4")]).reshape(-1, 256)
    nested_scales = np.maximum(largest(nested), 1e-12)
    codes = np.round(nested / nested_scales[:, None] * 127 + 128).clip(0, 255).astype("u1")
    yield name, tensor("U8", (values[0::2] << 4 | values[1::2]).reshape(-1, 1))
    yield name + ".absmax", tensor("U8", codes.reshape(-1)[:len(scales)])
    yield name + ".nested_absmax", tensor("F32", nested_scales.astype("f4"))
    yield name + ".quant_map", tensor("F32", NF4)


def int8_rows(name, matrix):
    """The way of compressed-tensors and bitsandbytes: a scale for each row."""
    scales = np.maximum(largest(matrix)[:, None] / 127, LEAST_FLOAT32)
    yield name, tensor("I8", np.round(matrix / scales).astype("i1"))
    yield name + "_scale", tensor("F32", scales.astype("f4"))


def w4a16(name, matrix):
    """The way of compressed-tensors, symmetric, in groups of 128 inputs."""
    grouped = groups(matrix, 128)
    scales = np.maximum(largest(grouped) / 7.5, 1e-8)
    values = np.clip(np.round(grouped / scales[..., None]), -8, 7).astype("i4") + 8
    yield name + "_packed", tensor("I32", pack32(values.astype("u4").reshape(matrix.shape)))
    yield name + "_scale", tensor("BF16", to_bfloat16(scales))


def fp8_rows(name, matrix):
    scales = np.maximum(largest(matrix)[:, None] / E4M3_MAX, LEAST_FLOAT32)
    yield name, tensor("F8_E4M3", to_e4m3(matrix / scales))
    yield name + "_scale", tensor("BF16", to_bfloat16(scales))


def fp8_blocks(name, matrix):
    """The way of DeepSeek: blocks of 128 times 128. Leaves out the last rows if they fill none."""
    rows = matrix.shape[0] // 128 * 128
    if rows == 0:
        return
    blocks = matrix[:rows].reshape(rows // 128, 128, -1, 128)
    scales = np.maximum(np.abs(blocks).max((1, 3)) / E4M3_MAX, LEAST_FLOAT32)
    values = to_e4m3(blocks / scales[:, None, :, None])
    yield name, tensor("F8_E4M3", values, (rows, matrix.shape[1]))
    yield name + "_scale_inv", tensor("F32", scales.astype("f4"))


SCHEMES = {
    "mxfp4": mxfp4,
    "mxfp4-f4": mxfp4_f4,
    "mxfp8": mxfp8,
    "nvfp4": nvfp4,
    "gptq": gptq,
    "gptq-sym": gptq_symmetric,
    "awq": awq,
    "bnb-nf4": bnb_nf4,
    "int8-rows": int8_rows,
    "w4a16": w4a16,
    "fp8-rows": fp8_rows,
    "fp8-blocks": fp8_blocks,
}


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: quantise.py IN.safetensors FOLDER")
    source, folder = sys.argv[1:]
    matrices = read_matrices(source)
    os.makedirs(folder, exist_ok=True)
    for scheme, quantise in SCHEMES.items():
        tensors = {}
        for name, matrix in matrices.items():
            tensors.update(quantise(name, matrix))
        write(os.path.join(folder, scheme + ".safetensors"), tensors)


main()
