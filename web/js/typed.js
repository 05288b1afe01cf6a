// Tensors as arrays of numbers. JavaScript has none of 8 or 16 bits that are floating-point: those
// stay as they are stored until they are widened.

/** Array types by the names that safetensors files use. */
const ARRAYS = {
  F64: Float64Array, F32: Float32Array, F16: Uint16Array, BF16: Uint16Array,
  I64: BigInt64Array, U64: BigUint64Array, I32: Int32Array, U32: Uint32Array,
  I16: Int16Array, U16: Uint16Array, I8: Int8Array,
};

/** The bytes as elements of a type; of a type that has no array, the bytes. */
export function typed(bytes, dtype) {
  const Type = ARRAYS[dtype] ?? Uint8Array;
  const size = Type.BYTES_PER_ELEMENT;
  const isAligned = bytes.byteOffset % size === 0;
  const { buffer, byteOffset, byteLength } = isAligned ? bytes : bytes.slice();
  return new Type(buffer, byteOffset, Math.floor(byteLength / size));
}

/** bfloat16 as float32: the upper half of one. */
export function bf16ToF32(source) {
  const bits = new Uint32Array(source.length);
  for (let i = 0; i < source.length; i++) bits[i] = source[i] << 16;
  return new Float32Array(bits.buffer);
}

/**
 * Widens small floating-point numbers with so many bits of exponent and mantissa. The bits of the
 * result are those of 2^(its exponent's bias) too small a number, which one multiplication sets right,
 * subnormal numbers included.
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

/** IEEE half precision as float32. */
export const f16ToF32 = (source) => widen(source, 5, 10, true);
/** `float8_e5m2` as float32. */
export const f8e5m2ToF32 = (source) => widen(source, 5, 2, true);
/** `float8_e4m3fn`, which has no infinities, as float32. */
export const f8e4m3ToF32 = (source) => widen(source, 4, 3, false);

const WIDEN = { BF16: bf16ToF32, F16: f16ToF32, F8_E5M2: f8e5m2ToF32, F8_E4M3: f8e4m3ToF32 };

/** A tensor's data as float32, for the floating-point types up to that. */
export function toFloat32({ dtype, data }) {
  if (dtype === 'F32') return data;
  const convert = WIDEN[dtype];
  if (!convert) throw new TypeError(`${dtype} does not widen to float32`);
  return convert(data);
}
