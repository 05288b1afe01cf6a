// Errors of the package.

/**
 * An error in a file, in its source or in a call.
 *
 * `code` is the name of the error for programs, and `message` a text for users. `place` is its location
 * in the file, as far as it is known. `HttpError` has a `status`, `WrongFormat` a `format`.
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

  /** Returns an error in a form that can be posted to another thread. */
  static toMessage(error) {
    if (!(error instanceof ZipnnError)) return { message: String(error?.message ?? error) };
    const { code, message, place } = error;
    return { code, message, place };
  }

  static fromMessage({ code = 'WorkerFailed', message, place }) {
    return new ZipnnError(code, message, { place });
  }
}

/** Names of errors that the caller or a timeout caused. They are never wrapped. */
const ENDED = ['AbortError', 'TimeoutError'];

/** Returns the message of an error and of its cause, where Node's "fetch failed" has the reason. */
export const reasonOf = (error) =>
  [error, error?.cause].map((part) => part?.message).filter(Boolean).join(': ') || String(error);

/** Wraps the error of a source in a `ZipnnError`. Does not wrap aborts, by `signal` or another. */
export function sourceError(code, what, cause, signal) {
  if (signal?.aborted) return signal.reason;
  if (cause instanceof ZipnnError || ENDED.includes(cause?.name)) return cause;
  return new ZipnnError(code, `${what}: ${reasonOf(cause)}`, { cause });
}

/** Calls the library and converts its errors to `ZipnnError`. */
export function call(run) {
  try {
    return run();
  } catch (failure) {
    throw asError(failure);
  }
}

function asError(failure) {
  // A trap, most likely because the module could not allocate memory.
  if (failure instanceof WebAssembly.RuntimeError || failure instanceof RangeError) {
    return new ZipnnError('OutOfMemory', `decoding failed: ${failure.message}`, { cause: failure });
  }
  // Only errors of the library have the property `frame`.
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

/** Advice by code that the messages of the library do not contain. */
const ADVICE = {
  UnsupportedVersion:
    `a release up to 0.3.4 of the original wrote the file in a layout ${BY_PROGRAM} (zipnn decompress FILE)`,
  BaseRequired:
    'the file contains the difference to another file, '
    + `${BY_PROGRAM} (zipnn decompress --delta OTHER_FILE FILE)`,
  ExtendedRequired:
    "the file is in the extended profile: import the same functions from 'zipnn/extended', which reads it, or "
    + 'compress the original without --extended and --max',
  BadMagic: 'this is not a .znn file: it does not begin with "ZN"',
  UnsupportedMethod: NEWER,
  UnsupportedDType: NEWER,
  UnsupportedByteGroup: NEWER,
  UnsupportedForm: NEWER,
  UnsupportedAnnex: 'a newer version of zipnn wrote the file: update this package',
};

/** Codes whose advice replaces the library's message. */
const REPLACED = ['UnsupportedVersion', 'BaseRequired', 'ExtendedRequired', 'BadMagic', 'UnsupportedAnnex'];

function advised(code, message, frame) {
  if (code === 'BadMagic' && frame > 0) {
    return `${message}; the file is damaged, or has something appended: fetch it again`;
  }
  const advice = ADVICE[code];
  if (!advice) return message;
  return REPLACED.includes(code) ? advice : `${message}; ${advice}`;
}
