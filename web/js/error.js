// Errors as JavaScript throws them.

/**
 * Something is wrong with a file, with where it comes from, or with the call.
 *
 * `code` is the name of the error, for programs; `message` is for people. `place` tells where in a
 * file it was found, as far as that is known. `HttpError` has a `status`, `WrongFormat` a `format`.
 */
export class ZipnnError extends Error {
  constructor(code, message, { place = {}, cause, status, format } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ZipnnError';
    this.code = code;
    this.place = place;
    if (status !== undefined) this.status = status;
    if (format !== undefined) this.format = format;
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

/** Names of errors that the caller or a deadline caused: these are never wrapped. */
const ENDED = ['AbortError', 'TimeoutError'];

/** Returns the message of an error and of its cause: Node's "fetch failed" has the reason there. */
export const reasonOf = (error) =>
  [error, error?.cause].map((part) => part?.message).filter(Boolean).join(': ') || String(error);

/** Wraps the error of a source in a `ZipnnError`. Aborts, by `signal` or another, stay as they are. */
export function sourceError(code, what, cause, signal) {
  if (signal?.aborted) return signal.reason;
  if (cause instanceof ZipnnError || ENDED.includes(cause?.name)) return cause;
  return new ZipnnError(code, `${what}: ${reasonOf(cause)}`, { cause });
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
  return new ZipnnError(code, advised(code, message, frame), { place });
}

const BY_PROGRAM = 'which this package does not read: decompress it with the zipnn program';
const NEWER = 'the file is damaged, or a newer version wrote it: fetch it again, or update this package';

/** Advice by code, for errors whose message from the library has none that fits this package. */
const ADVICE = {
  UnsupportedVersion:
    `a release up to 0.3.4 of the original wrote the file in a layout ${BY_PROGRAM} (zipnn decompress FILE)`,
  BaseRequired:
    'the file holds the difference to another file, '
    + `${BY_PROGRAM} (zipnn decompress --delta OTHER_FILE FILE)`,
  ZstdRequired:
    `the file is in the extended profile, with planes compressed by Zstandard, ${BY_PROGRAM} `
    + '(zipnn decompress FILE), or compress the original without --extended',
  BadMagic: 'this is not a .znn file: it does not begin with "ZN"',
  UnsupportedMethod: NEWER,
  UnsupportedDType: NEWER,
  UnsupportedByteGroup: NEWER,
  UnsupportedForm: NEWER,
  UnsupportedAnnex: 'a newer version of zipnn wrote the file: update this package',
};

/** Codes whose advice replaces the library's message. */
const REPLACED = ['UnsupportedVersion', 'BaseRequired', 'ZstdRequired', 'BadMagic', 'UnsupportedAnnex'];

function advised(code, message, frame) {
  if (code === 'BadMagic' && frame > 0) {
    return `${message}; the file is damaged, or has something appended: fetch it again`;
  }
  const advice = ADVICE[code];
  if (!advice) return message;
  return REPLACED.includes(code) ? advice : `${message}; ${advice}`;
}
