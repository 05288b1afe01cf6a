// What a file may ask for.

/** Most bytes of a frame that are kept, unless the caller says otherwise: of a module's 4 GiB. */
const FRAME_BYTES = 1 << 30;

/** Limits with their defaults, as the module takes them. */
export function limitsOf({ decodedBytes = Infinity, frameBytes = FRAME_BYTES, verify = true } = {}) {
  return [decodedBytes, frameBytes, verify];
}
