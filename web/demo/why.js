// Explains why a file compresses as it does.

import { percent } from './units.js';

/** Compressed part from which on a file counts as one that does not compress. */
const HARDLY = 0.95;

/** What there is to save in the numbers of a type. */
const TYPES = {
  BF16: 'BF16 numbers have 8 bits of exponent in 16 bits. Trained weights use few exponents, which shrink to a third.',
  F16: 'F16 numbers have only 5 bits of exponent in 16 bits, so that there is less to save than in BF16.',
  F32: 'F32 numbers have 8 bits of exponent in 32 bits. The other 24 bits are as good as random.',
  F64: 'F64 numbers consist of mantissa for the most part, which is as good as random.',
  F8_E4M3: 'These numbers have 8 bits, nearly all of which they use. Little is left to save.',
  F8_E5M2: 'Of these 8 bits, 5 are exponent and shrink a little.',
};
const QUANTIZED = 'These are integers, as quantized models have. Quantizing has already removed what could be '
  + 'saved: nearly every value occurs about as often as every other.';
const RANDOM = 'Its bytes look random, as in files that are already compressed or encrypted. Nothing can shrink '
  + 'them further without loss.';
const UNKNOWN = 'It does not look like floating-point numbers, in which alone zipnn finds something to save.';
const FULL = 'Its numbers use their exponents almost evenly, unlike trained weights.';

/** Returns the entropy of bytes in bits a byte, from how often each occurs. */
export function entropy(counts) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  let bits = 0;
  for (const count of counts) if (count > 0) bits -= count * Math.log2(count / total);
  return total > 0 ? bits / total : 0;
}

/** Bytes from which on their entropy says something. */
const ENOUGH = 4096;

const isInteger = (dtype) => /^(I|U|BOOL|F4|F6)/.test(dtype);

/**
 * Returns a sentence or two about the compressed size.
 *
 * `totals` has the bytes of each type of tensors, the most frequent first; `counts` how often each byte
 * occurs in the file.
 */
export function why({ original, compressed, totals, counts }) {
  if (original === 0) return 'This file is empty: there is nothing to compress.';
  const part = compressed / original;
  const largest = totals?.[0];
  const about = largest && (isInteger(largest.dtype) ? QUANTIZED : TYPES[largest.dtype]);
  if (part < HARDLY) return about ?? '';
  const start = part > 1
    ? 'This file does not get smaller.'
    : `This file hardly gets smaller: ${percent(part)} are left.`;
  if (original < ENOUGH) return `${start} It is so short that the header of the format weighs as much as is saved.`;
  if (largest && !isInteger(largest.dtype)) return `${start} ${FULL}`;
  return `${start} ${about ?? (entropy(counts) > 7.9 ? RANDOM : UNKNOWN)}`;
}

/** Returns why a tensor did not get smaller, or nothing if it did. */
export function whyTensor(dtype, part) {
  if (part < HARDLY) return '';
  return isInteger(dtype) ? QUANTIZED : `It hardly gets smaller. ${TYPES[dtype] ?? ''}`.trim();
}
