// Recognizes files of other formats, so that errors name them instead of reporting damage.

import { ZipnnError } from './error.js';

/** Bytes that suffice to recognize most formats. */
const LOOK = 512;
/** Most bytes of a safetensors header that are searched for the list of compressed tensors. */
const HEADER_LOOK = 64 << 10;
/** Longest header that safetensors files may have. */
const MAX_HEADER = 100_000_000;

const PROGRAM = 'with the zipnn program';

/** Descriptions and advice by the name of the format. */
const FORMATS = {
  'safetensors': 'a safetensors file that is not compressed: read it as it is, or compress it first',
  'znn.safetensors':
    'a .znn.safetensors file, in which single tensors are compressed; this function reads files that '
    + `are compressed as a whole: restore it ${PROGRAM}: zipnn decompress FILE`,
  'git-lfs':
    'a Git LFS pointer, not the file itself: run "git lfs pull", or on the Hugging Face Hub use the '
    + 'URL with /resolve/ in place of /raw/ or /blob/',
  'html':
    'a web page (HTML): the server answered with a page, for example to sign in; open the URL in a '
    + 'browser, and on the Hugging Face Hub use /resolve/ in place of /blob/',
  'xml': 'an XML document, often the error message of a storage server: open the URL in a browser',
  'json': 'a JSON document, often an error message or an index of other files: check the URL',
  'text': 'plain text: check the URL',
  'gguf': 'a GGUF file that is not compressed: read it as it is, or compress it first',
  'numpy': 'a NumPy file that is not compressed: read it as it is, or compress it first',
  'hdf5': 'an HDF5 file that is not compressed: read it as it is, or compress it first',
  'zip': 'a ZIP archive, as PyTorch checkpoints and NumPy .npz files are: unpack it first',
  'pickle': 'a Python pickle, as old PyTorch checkpoints are: convert it to safetensors first',
  'tar': 'a tar archive: unpack it first',
  'gzip': "a file compressed with gzip: pipe it through new DecompressionStream('gzip') first",
  'zstd': 'a file compressed with Zstandard: decompress it first',
  'xz': 'a file compressed with xz: decompress it first',
  'bzip2': 'a file compressed with bzip2: decompress it first',
  'lz4': 'a file compressed with LZ4: decompress it first',
};

/** Magic numbers; each character is a byte. */
const SIGNATURES = [
  ['gzip', '\x1f\x8b'],
  ['zip', 'PK\x03\x04'],
  ['zip', 'PK\x05\x06'],
  ['gguf', 'GGUF'],
  ['zstd', '\x28\xb5\x2f\xfd'],
  ['xz', '\xfd7zXZ\0'],
  ['bzip2', 'BZh'],
  ['lz4', '\x04\x22\x4d\x18'],
  ['hdf5', '\x89HDF\r\n\x1a\n'],
  ['numpy', '\x93NUMPY'],
  ['pickle', '\x80\x02'],
  ['pickle', '\x80\x03'],
  ['pickle', '\x80\x04'],
  ['pickle', '\x80\x05'],
];

/** Text formats, by their beginning after a byte order mark and blanks. */
const TEXTS = [
  ['git-lfs', /^version https?:\/\/[^\n]*(git-lfs|git-media|hawser)/],
  ['html', /^<(!doctype html|html|head|body|script|meta|title)\b/i],
  ['xml', /^<(\?xml|Error>|!--)/],
  ['json', /^[{[]\s*(["{[\]}]|-?\d)/],
  ['text', /^[\t\n\f\r\x20-\x7e]+$/],
];

/** Returns bytes as a string, one character for each. */
function latin1(bytes) {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/**
 * Returns the header length of a safetensors file, `undefined` for other files. The header begins with
 * a brace, which no frame has at that offset.
 */
function headerLength(bytes) {
  if (bytes.length < 9 || bytes[8] !== 0x7b) return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  return length >= 2 && length <= MAX_HEADER ? Number(length) : undefined;
}

/** Returns the name of the format, or `undefined` if it is unknown or may be a frame. */
function formatOf(bytes) {
  if (headerLength(bytes) !== undefined) {
    const isInside = /znn_compressed_vectors|zipnn_source_header|zipnn_checksums/;
    return isInside.test(latin1(bytes.subarray(0, HEADER_LOOK))) ? 'znn.safetensors' : 'safetensors';
  }
  if (mayBeFrame(bytes)) return undefined;
  const beginning = latin1(bytes.subarray(0, LOOK));
  if (beginning.slice(257, 262) === 'ustar') return 'tar';
  const signed = SIGNATURES.find(([, signature]) => beginning.startsWith(signature));
  if (signed) return signed[0];
  const text = beginning.replace(/^\xef\xbb\xbf/, '').trimStart();
  return TEXTS.find(([, pattern]) => pattern.test(text))?.[0];
}

const mayBeFrame = (bytes) => bytes[0] === 0x5a && (bytes.length < 2 || bytes[1] === 0x4e);

/** Bytes at the beginning of a file that suffice to recognize any format. */
export const ENOUGH = HEADER_LOOK;

/** Throws if a file that begins with these bytes has another known format. */
export function refuseOthers(bytes) {
  refuse(formatOf(bytes));
}

function refuse(format) {
  if (!format) return;
  throw new ZipnnError('WrongFormat', `this is not a .znn file but ${FORMATS[format]}`, { format });
}

/**
 * Holds back the beginning of a file until its format is recognized. Refuses formats other than `.znn`
 * and `accepted`.
 */
export class Beginning {
  /** Whether the file has the format `accepted`; `undefined` until the format is recognized. */
  isAccepted;
  #accepted;
  #kept = new Uint8Array();
  #isClear = false;

  constructor(accepted) {
    this.#accepted = accepted;
  }

  /** Takes a part and returns the bytes to decode, or none while more are needed. */
  take(part) {
    if (this.#isClear) return part;
    const bytes = joined(this.#kept, part);
    if (bytes.length >= needed(bytes)) {
      this.#kept = bytes;
      return this.end();
    }
    // The caller may reuse the memory of the part.
    this.#kept = bytes === part ? part.slice() : bytes;
    return new Uint8Array();
  }

  /** Returns the bytes held back, after the last part of the file or once they suffice. */
  end() {
    const bytes = this.#kept;
    this.#kept = new Uint8Array();
    if (this.#isClear) return bytes;
    const format = formatOf(bytes);
    this.isAccepted = format !== undefined && format === this.#accepted;
    if (!this.isAccepted) refuse(format);
    this.#isClear = true;
    return bytes;
  }
}

/** Returns two arrays as one. Does not copy the second if the first is empty: it can be a whole file. */
function joined(first, second) {
  if (first.length === 0) return second;
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** Returns the number of bytes needed to recognize the format of a file with this beginning. */
function needed(bytes) {
  const header = headerLength(bytes);
  if (header !== undefined) return Math.min(8 + header, HEADER_LOOK);
  return mayBeFrame(bytes) ? 9 : LOOK;
}
