// Keeping what a stream brings.

/** Bytes that are kept as an array before they become a blob: browsers put large ones on disk. */
const PART = 32 << 20;

/**
 * All of a stream as a blob. Unlike `Response.blob`, it is rejected with the error of the stream and
 * none of its own.
 */
export async function toBlob(stream) {
  const blobs = [];
  let parts = [];
  let length = 0;
  for (const reader = stream.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return new Blob([...blobs, ...parts]);
    parts.push(value);
    length += value.length;
    if (length >= PART) {
      blobs.push(new Blob(parts));
      parts = [];
      length = 0;
    }
  }
}
