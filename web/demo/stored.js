// Attributes the compressed bytes of chunks to tensors and types.

/**
 * Returns the compressed bytes of each tensor, and whether it shares a chunk with other data. Chunks are
 * compressed as a whole: each tensor counts as many of the bytes as its part of the chunk.
 */
export function storedTensors(chunks, tensors) {
  const stored = [];
  let at = 0;
  let number = 0;
  for (const { range: [start, end] } of tensors) {
    let bytes = 0;
    let isShared = false;
    while (number < chunks.length) {
      const { decodedLength, length } = chunks[number];
      const part = Math.min(end, at + decodedLength) - Math.max(start, at);
      if (part > 0) {
        bytes += length * part / decodedLength;
        isShared ||= part < decodedLength;
      }
      if (at + decodedLength > end) break;
      at += decodedLength;
      number += 1;
    }
    stored.push({ bytes, isShared });
  }
  return stored;
}

/** Returns number, bytes and compressed bytes of the tensors of each type, the most bytes first. */
export function totalsByType(tensors, stored) {
  const totals = new Map();
  for (const [i, { dtype, range: [start, end] }] of tensors.entries()) {
    const total = totals.get(dtype) ?? { dtype, count: 0, bytes: 0, stored: 0, isShared: false };
    total.count += 1;
    total.bytes += end - start;
    total.stored += stored?.[i].bytes ?? 0;
    total.isShared ||= stored?.[i].isShared ?? false;
    totals.set(dtype, total);
  }
  return [...totals.values()].sort((a, b) => b.bytes - a.bytes);
}
