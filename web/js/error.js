// Errors as JavaScript throws them.

/**
 * Something is wrong with a file, with where it comes from, or with the call.
 *
 * `code` is the name of the error, for programs; `message` is for people. `place` tells where in a
 * file it was found, as far as that is known.
 */
export class ZipnnError extends Error {
  constructor(code, message, { place = {}, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ZipnnError';
    this.code = code;
    this.place = place;
  }

  /** What can be posted to another thread. */
  static toMessage(error) {
    if (!(error instanceof ZipnnError)) return { message: String(error?.message ?? error) };
    const { code, message, place } = error;
    return { code, message, place };
  }

  static fromMessage({ code = 'WorkerFailed', message, place }) {
    return new ZipnnError(code, message, { place });
  }
}

/** Calls into the library, and makes errors of ours of what it throws. */
export function call(run) {
  try {
    return run();
  } catch (failure) {
    throw asError(failure);
  }
}

function asError(failure) {
  // A trap: memory that the module could not get, most likely.
  if (failure instanceof WebAssembly.RuntimeError || failure instanceof RangeError) {
    return new ZipnnError('OutOfMemory', `decoding failed: ${failure.message}`, { cause: failure });
  }
  // What is not the library's has no place in a file, not even one that is unknown.
  if (!(failure && 'frame' in failure)) return failure;
  const { code, message, frame, chunk, plane } = failure;
  failure.free();
  const place = {};
  if (frame !== undefined) place.frame = frame;
  if (chunk !== undefined) place.chunk = chunk;
  if (plane !== undefined) place.plane = plane;
  return new ZipnnError(code, message, { place });
}
