// Explains why a file compresses as it does.

import { percent } from './units.js';

/** Compressed part from which on a file counts as one that does not compress. */
const HARDLY = 0.95;

/** What there is to save in the numbers of a type. */
const TYPES = {
  BF16: 'BF16 numbers have 8 bits of exponent in 16 bits. Trained weights use few different exponents, which shrink '
    + 'to a third.',
  F16: 'F16 numbers have only 5 bits of exponent in 16 bits, so they shrink less than BF16.',
  F32: 'F32 numbers have 8 bits of exponent in 32 bits. The other 24 bits are almost random, and do not shrink.',
  F64: 'F64 numbers consist mostly of mantissa, which is almost random and does not shrink.',
  F8_E4M3: 'F8_E4M3 numbers have 4 bits of exponent in 8 bits. In trained weights, some exponents are much more '
    + 'frequent than others.',
  F8_E5M2: 'F8_E5M2 numbers have 5 bits of exponent in 8 bits. In trained weights, some exponents are much more '
    + 'frequent than others.',
};
const QUANTIZED = 'These are integers, as in quantized models. After quantization, nearly all values occur '
  + 'about equally often, so there is little left to save.';
const RANDOM = 'Its bytes look random, as in files that are already compressed or encrypted. Nothing can shrink '
  + 'them further without loss.';
const UNKNOWN = 'It does not seem to contain floating-point numbers, for which zipnn is made.';
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
    : `This file hardly gets smaller: it shrinks to ${percent(part)}.`;
  if (original < ENOUGH) return `${start} It is so short that the header takes as much as compressing saves.`;
  if (largest && !isInteger(largest.dtype)) return `${start} ${FULL}`;
  return `${start} ${about ?? (entropy(counts) > 7.9 ? RANDOM : UNKNOWN)}`;
}

/** Returns why a tensor did not get smaller, or nothing if it did. */
export function whyTensor(dtype, part) {
  if (part < HARDLY) return '';
  return isInteger(dtype) ? QUANTIZED : `It hardly gets smaller. ${TYPES[dtype] ?? ''}`.trim();
}
