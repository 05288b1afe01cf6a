// Where archives come from: anything that has a size and gives ranges of bytes.

import { toBlob } from './collect.js';
import { bytesOf } from './decoder.js';
import { ZipnnError, sourceError } from './error.js';
import { connectionError, contentRange, isCoded, request } from './http.js';

/** Bytes from the beginning that are asked for first, which also tells how long the file is. */
const FIRST = 16 << 10;

/** A source of ranges from whatever an archive may be opened from. */
export async function sourceOf(source, options) {
  if (typeof source === 'string' || source instanceof URL) return openUrl(source, options);
  if (source instanceof Blob) return new BlobRanges(source);
  if (typeof source?.read === 'function') return new CheckedRanges(source);
  const bytes = bytesOf(source);
  return { size: bytes.length, read: async (start, end) => bytes.subarray(start, end) };
}

/** An object of the caller, held to what it promises. */
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
      const message = `read(${start}, ${end}) has returned ${bytes.length} bytes in place of ${end - start}`;
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
      const what = 'the file cannot be read (it was changed or removed since it was chosen: choose it again)';
      throw sourceError('SourceFailed', what, cause);
    }
  }
}

/** A file behind a URL, of which the server gives ranges. */
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
    // Servers may send less than is asked for.
    const output = new Uint8Array(end - start);
    output.set(first);
    for (let at = start + first.length; at < end; ) {
      const part = await this.#part(at, end, signal);
      output.set(part, at - start);
      at += part.length;
    }
    return output;
  }

  /** Requests a range, and returns its first bytes: at least one, and all that the server sends. */
  async #part(start, end, signal) {
    const response = await requestRange(this.#url, start, end, this.#options, signal)
      .catch((error) => {
        throw error.status === 416 ? this.#changed() : error;
      });
    const size = contentRange(response)?.size ?? this.size;
    // What is coded has validators of its own.
    if (!isCoded(response) && (validators(response) !== this.#validators || size !== this.size)) {
      discard(response);
      throw this.#changed();
    }
    return partOf(this.#url, response, start, end, signal);
  }

  #changed() {
    return new ZipnnError('SourceChanged', `${this.#url} has changed while it was read: open it again`);
  }
}

/**
 * What tells one state of a file from another. They are compared here: a header `If-Range` would make
 * browsers ask servers of other origins whether they allow it.
 */
const validators = ({ headers }) =>
  JSON.stringify(['ETag', 'Last-Modified'].map((name) => headers.get(name)));

const discard = (response) => void response.body?.cancel().catch(() => {});

/**
 * Requests a range. Caches are passed by: browsers take ranges out of answers that they keep, also of
 * those that were compressed on the way.
 */
function requestRange(url, start, end, options, signal) {
  const headers = new Headers(options.headers);
  headers.set('Range', `bytes=${start}-${end - 1}`);
  return request(url, { fetch: options.fetch, headers, signal, cache: 'no-store' });
}

/** The bytes of an answer to a request for a range: from `start` on, up to `end` or less. */
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

/** What is wrong with an answer to a request for a range. */
function faultOf(response, range, start, end) {
  if (response.status !== 206) return `status ${response.status} for a range`;
  if (isCoded(response)) return `a range in the encoding ${response.headers.get('Content-Encoding')}`;
  if (!range) return 'a range without Content-Range';
  const isWithin = range.start === start && range.end > start && range.end <= Math.min(end, range.size);
  return isWithin ? undefined : `${response.headers.get('Content-Range')} for bytes ${start}-${end - 1}`;
}

function badRange(url, fault) {
  const advice = 'open it again, or fetch all of it and open the bytes';
  return new ZipnnError('BadRange', `${url}: the server, or a cache before it, sends ${fault}: ${advice}`);
}

/**
 * Opens a URL. A server that gives no ranges sends the whole file: that is then kept, as a blob,
 * which browsers put on disk when it is large.
 */
async function openUrl(url, options) {
  const { signal } = options;
  let first;
  try {
    first = await requestRange(url, 0, FIRST, options, signal);
  } catch (error) {
    // An empty file has no ranges. Browsers refuse ranges of what a proxy has compressed, and servers
    // of other origins may not allow the header `Range`.
    if (error.status !== 416 && error.code !== 'NetworkError') throw error;
    return openWhole(url, await requestWhole(url, options), options);
  }
  if (first.status !== 206) return openWhole(url, first, options);
  // Another origin that hides `Content-Range`, a server that does not know the size, or ranges of
  // what a proxy has compressed.
  if (!contentRange(first) || isCoded(first)) {
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
  const total = isCoded(response) ? undefined : Number(response.headers.get('Content-Length')) || undefined;
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
