// Sources of archives: they have a size and return ranges of bytes.

import { toBlob } from './collect.js';
import { bytesOf } from './decoder.js';
import { ZipnnError, sourceError } from './error.js';
import { connectionError, contentRange, isEncoded, request } from './http.js';

/** Bytes to request first. The response also contains the size of the file. */
const FIRST = 16 << 10;

/** Returns a source of ranges for each kind of argument of `openArchive`. */
export async function sourceOf(source, options) {
  if (typeof source === 'string' || source instanceof URL) return openUrl(source, options);
  if (source instanceof Blob) return new BlobRanges(source);
  if (typeof source?.read === 'function') return new CheckedRanges(source);
  const bytes = bytesOf(source);
  return { size: bytes.length, read: async (start, end) => bytes.subarray(start, end) };
}

/** Checks the results of an object of the caller. */
class CheckedRanges {
  #source;

  constructor(source) {
    if (!(Number.isSafeInteger(source.size) && source.size >= 0)) {
      throw new TypeError(`expected the size of the file in bytes, not ${source.size}`);
    }
    this.#source = source;
    this.size = source.size;
  }

  async read(start, end, options) {
    const bytes = bytesOf(await this.#source.read(start, end, options));
    if (bytes.length !== end - start) {
      const message = `read(${start}, ${end}) returned ${bytes.length} bytes instead of ${end - start}`;
      throw new ZipnnError('BadRange', message);
    }
    return bytes;
  }
}

class BlobRanges {
  #blob;

  constructor(blob) {
    this.#blob = blob;
    this.size = blob.size;
  }

  async read(start, end) {
    try {
      return new Uint8Array(await this.#blob.slice(start, end).arrayBuffer());
    } catch (cause) {
      const what = 'the file cannot be read (it has been changed or removed since it was chosen: choose it again)';
      throw sourceError('SourceFailed', what, cause);
    }
  }
}

/** Reads a file behind a URL by range requests. */
class HttpRanges {
  #url;
  #options;
  #validators;
  #beginning;

  constructor(url, first, beginning, options) {
    this.#url = url;
    this.size = contentRange(first).size;
    this.#validators = validators(first);
    this.#beginning = beginning;
    this.#options = options;
  }

  async read(start, end, { signal } = {}) {
    if (end <= this.#beginning.length) return this.#beginning.subarray(start, end);
    const first = await this.#part(start, end, signal);
    if (first.length === end - start) return first;
    // Servers may send less than was requested.
    const output = new Uint8Array(end - start);
    output.set(first);
    for (let at = start + first.length; at < end; ) {
      const part = await this.#part(at, end, signal);
      output.set(part, at - start);
      at += part.length;
    }
    return output;
  }

  /** Requests a range and returns its first bytes, as many as the server sends. */
  async #part(start, end, signal) {
    const response = await requestRange(this.#url, start, end, this.#options, signal)
      .catch((error) => {
        throw error?.status === 416 ? this.#changed() : error;
      });
    const size = contentRange(response)?.size ?? this.size;
    // Encoded responses have validators of their own.
    if (!isEncoded(response) && (validators(response) !== this.#validators || size !== this.size)) {
      discard(response);
      throw this.#changed();
    }
    return partOf(this.#url, response, start, end, signal);
  }

  #changed() {
    return new ZipnnError('SourceChanged', `${this.#url} changed while it was being read: open it again`);
  }
}

/**
 * Returns the validators of a response, to detect that the file has changed. They are compared here
 * because the header `If-Range` would need permission from servers of other origins.
 */
const validators = ({ headers }) =>
  JSON.stringify(['ETag', 'Last-Modified'].map((name) => headers.get(name)));

const discard = (response) => void response.body?.cancel().catch(() => {});

/**
 * Requests a range. Bypasses the cache: browsers cut ranges out of cached responses, even where those
 * were compressed in transit.
 */
function requestRange(url, start, end, options, signal) {
  const headers = new Headers(options.headers);
  headers.set('Range', `bytes=${start}-${end - 1}`);
  return request(url, { fetch: options.fetch, headers, signal, cache: 'no-store' });
}

/** Reads the response to a range request: bytes from `start` on, up to `end` or less. */
async function partOf(url, response, start, end, signal) {
  const range = contentRange(response);
  const fault = faultOf(response, range, start, end);
  if (fault) {
    discard(response);
    throw badRange(url, fault);
  }
  const bytes = await response.arrayBuffer().catch((cause) => {
    throw connectionError(url, cause, signal);
  });
  const { byteLength } = bytes;
  const length = range.end - range.start;
  if (byteLength !== length) throw badRange(url, `${byteLength} bytes for a range of ${length}`);
  return new Uint8Array(bytes);
}

/** Returns why the response to a range request cannot be used, or `undefined` if it can. */
function faultOf(response, range, start, end) {
  if (response.status !== 206) return `status ${response.status} for a range`;
  if (isEncoded(response)) return `a range in the encoding ${response.headers.get('Content-Encoding')}`;
  if (!range) return 'a range without Content-Range';
  const isWithin = range.start === start && range.end > start && range.end <= Math.min(end, range.size);
  return isWithin ? undefined : `${response.headers.get('Content-Range')} for bytes ${start}-${end - 1}`;
}

function badRange(url, fault) {
  const advice = 'open it again, or fetch all of it and open the bytes';
  return new ZipnnError('BadRange', `${url}: the server, or a cache in between, sent ${fault}: ${advice}`);
}

/**
 * Opens a URL. Keeps the whole file as a blob if the server does not support ranges; browsers store
 * large blobs on disk.
 */
async function openUrl(url, options) {
  const { signal } = options;
  let first;
  try {
    first = await requestRange(url, 0, FIRST, options, signal);
  } catch (error) {
    // Empty files have no ranges, browsers reject compressed ranges, and servers of other origins may
    // not allow the header `Range`. The whole file can still be read.
    if (error?.status !== 416 && error?.code !== 'NetworkError') throw error;
    return openWhole(url, await requestWhole(url, options), options);
  }
  if (first.status !== 206) return openWhole(url, first, options);
  // `Content-Range` is hidden by another origin or lacks the size, or the range is of encoded bytes.
  if (!contentRange(first) || isEncoded(first)) {
    discard(first);
    return openWhole(url, await requestWhole(url, options), options);
  }
  const beginning = await partOf(url, first, 0, FIRST, signal);
  return new HttpRanges(url, first, beginning, options);
}

const requestWhole = (url, { fetch, headers, signal }) => request(url, { fetch, headers, signal });

async function openWhole(url, response, { signal, onProgress }) {
  if (response.status === 206) {
    discard(response);
    throw badRange(url, 'a part where the whole file was requested');
  }
  const total = isEncoded(response) ? undefined : Number(response.headers.get('Content-Length')) || undefined;
  let read = 0;
  const onPart = (length) => {
    read += length;
    onProgress?.({ read, decoded: 0, total });
  };
  const asError = (cause) => connectionError(url, cause, signal);
  const blob = await toBlob(response.body, { onPart, asError });
  if (total !== undefined && read !== total) {
    throw connectionError(url, new Error(`${read} of ${total} bytes have arrived`));
  }
  return new BlobRanges(blob);
}
