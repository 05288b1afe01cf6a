// Collects the contents of a stream.

/** Bytes to keep as arrays before they become a blob, which browsers can store on disk. */
const PART = 32 << 20;

/**
 * Collects a stream in a blob. Unlike `Response.blob`, fails with the error of the stream, mapped by
 * `asError`. Calls `onPart` with the length of each part.
 */
export async function toBlob(stream, { onPart, asError = (error) => error } = {}) {
  const blobs = [];
  let parts = [];
  let length = 0;
  const reader = stream.getReader();
  const read = () => reader.read().catch((error) => {
    throw asError(error);
  });
  try {
    for (;;) {
      const { done, value } = await read();
      if (done) return new Blob([...blobs, ...parts]);
      onPart?.(value.length);
      parts.push(value);
      length += value.length;
      if (length >= PART) {
        blobs.push(new Blob(parts));
        parts = [];
        length = 0;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
