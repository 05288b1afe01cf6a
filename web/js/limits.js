// Limits on the resources that a file can use.

/** Default for the most bytes of a frame. A module has 4 GiB of memory. */
const FRAME_BYTES = 1 << 30;

/** Returns the arguments for the module, with defaults. */
export function limitsOf({ decodedBytes = Infinity, frameBytes = FRAME_BYTES, verify = true } = {}) {
  return [decodedBytes, frameBytes, verify];
}
