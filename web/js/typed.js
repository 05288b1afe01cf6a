// Converts tensors to typed arrays. JavaScript has no arrays of 8-bit or 16-bit floating-point numbers:
// these remain integers until a function converts them to float32.

/** Array types by the names that safetensors files use. */
const ARRAYS = {
  F64: Float64Array, F32: Float32Array, F16: Uint16Array, BF16: Uint16Array,
  I64: BigInt64Array, U64: BigUint64Array, I32: Int32Array, U32: Uint32Array,
  I16: Int16Array, U16: Uint16Array, I8: Int8Array,
};

/** Returns bytes as an array of a type, or as a `Uint8Array` if JavaScript has no array for it. */
export function typed(bytes, dtype) {
  const Type = ARRAYS[dtype] ?? Uint8Array;
  const size = Type.BYTES_PER_ELEMENT;
  const isAligned = bytes.byteOffset % size === 0;
  const { buffer, byteOffset, byteLength } = isAligned ? bytes : bytes.slice();
  return new Type(buffer, byteOffset, Math.floor(byteLength / size));
}

/** Converts bfloat16, the upper half of a float32. */
export function bf16ToF32(source) {
  const bits = new Uint32Array(source.length);
  for (let i = 0; i < source.length; i++) bits[i] = source[i] << 16;
  return new Float32Array(bits.buffer);
}

/**
 * Converts floating-point numbers with these numbers of exponent and mantissa bits to float32. Shifting
 * the bits leaves the exponent too small by the difference of the biases. A multiplication corrects it,
 * for subnormal numbers as well.
 */
function widen(source, exponentBits, mantissaBits, hasInfinity) {
  const floats = new Float32Array(source.length);
  const bits = new Uint32Array(floats.buffer);
  const signAt = exponentBits + mantissaBits;
  const magnitudes = (1 << signAt) - 1;
  const scale = 2 ** (128 - 2 ** (exponentBits - 1));
  const infinity = magnitudes ^ ((1 << mantissaBits) - 1);
  for (let i = 0; i < source.length; i++) {
    const magnitude = source[i] & magnitudes;
    const sign = (source[i] >>> signAt) << 31;
    const isSpecial = hasInfinity ? magnitude >= infinity : magnitude === magnitudes;
    bits[i] = magnitude << (23 - mantissaBits);
    if (isSpecial) bits[i] = 0x7f80_0000 | (hasInfinity ? bits[i] & 0x7f_ffff : 0x40_0000);
    else floats[i] *= scale;
    bits[i] |= sign;
  }
  return floats;
}

/** Converts IEEE half precision to float32. */
export const f16ToF32 = (source) => widen(source, 5, 10, true);
/** Converts `float8_e5m2` to float32. */
export const f8e5m2ToF32 = (source) => widen(source, 5, 2, true);
/** Converts `float8_e4m3fn`, which has no infinities, to float32. */
export const f8e4m3ToF32 = (source) => widen(source, 4, 3, false);

const WIDEN = { BF16: bf16ToF32, F16: f16ToF32, F8_E5M2: f8e5m2ToF32, F8_E4M3: f8e4m3ToF32 };

/** Converts a tensor of a floating-point type of at most 32 bits to float32. */
export function toFloat32({ dtype, data }) {
  if (dtype === 'F32') return data;
  const convert = WIDEN[dtype];
  if (!convert) throw new TypeError(`${dtype} cannot be converted to float32 without loss`);
  return convert(data);
}
