// Where archives come from: anything that has a size and gives ranges of bytes.

import { toBlob } from './collect.js';
import { bytesOf } from './decoder.js';
import { ZipnnError } from './error.js';

/** Bytes from the beginning that are asked for first, which also tells how long the file is. */
const FIRST = 16 << 10;

/** A source of ranges from whatever an archive may be opened from. */
export async function sourceOf(source, options) {
  if (typeof source === 'string' || source instanceof URL) return openUrl(source, options);
  if (source instanceof Blob) return new BlobRanges(source);
  if (typeof source?.read === 'function' && typeof source.size === 'number') return source;
  const bytes = bytesOf(source);
  return { size: bytes.length, read: async (start, end) => bytes.subarray(start, end) };
}

class BlobRanges {
  #blob;

  constructor(blob) {
    this.#blob = blob;
    this.size = blob.size;
  }

  async read(start, end) {
    return new Uint8Array(await this.#blob.slice(start, end).arrayBuffer());
  }
}

/** A file behind a URL, of which servers give ranges. */
class HttpRanges {
  #url;
  #options;
  #etag;
  #beginning;

  constructor(url, size, etag, beginning, options) {
    this.#url = url;
    this.size = size;
    this.#etag = etag;
    this.#beginning = beginning;
    this.#options = options;
  }

  async read(start, end, { signal } = {}) {
    if (end <= this.#beginning.length) return this.#beginning.subarray(start, end);
    const response = await request(this.#url, `bytes=${start}-${end - 1}`, this.#options, signal);
    const etag = response.headers.get('ETag');
    const isSame = response.status === 206 && sizeOf(response) === this.size && etag === this.#etag;
    if (!isSame) {
      response.body?.cancel();
      throw new ZipnnError('SourceChanged', `${this.#url} has changed while it was read`);
    }
    return new Uint8Array(await response.arrayBuffer());
  }
}

/**
 * Opens a URL. A server that gives no ranges sends the whole file: that is then kept, as a blob,
 * which browsers put on disk when it is large.
 */
async function openUrl(url, options) {
  const { signal, onProgress } = options;
  const response = await request(url, `bytes=0-${FIRST - 1}`, options, signal);
  const size = sizeOf(response);
  if (response.status === 206 && size !== undefined) {
    const beginning = new Uint8Array(await response.arrayBuffer());
    return new HttpRanges(url, size, response.headers.get('ETag'), beginning, options);
  }
  let whole = response;
  if (response.status === 206) {
    // Another origin that hides `Content-Range`.
    response.body?.cancel();
    whole = await request(url, undefined, options, signal);
  }
  const total = Number(whole.headers.get('Content-Length')) || undefined;
  return new BlobRanges(await toBlob(counted(whole.body, total, onProgress)));
}

async function request(url, range, { fetch = globalThis.fetch, headers }, signal) {
  const all = new Headers(headers);
  if (range) all.set('Range', range);
  const response = await fetch(url, { headers: all, signal });
  if (!response.ok) {
    response.body?.cancel();
    const message = `${url}: the server answers ${response.status} ${response.statusText}`;
    throw new ZipnnError('HttpError', message.trimEnd());
  }
  return response;
}

/** The size of the whole file, as an answer with a part of it tells. */
function sizeOf(response) {
  const size = /^bytes \d+-\d+\/(\d+)$/.exec(response.headers.get('Content-Range') ?? '')?.[1];
  return size === undefined ? undefined : Number(size);
}

function counted(stream, total, onProgress) {
  let read = 0;
  const count = (bytes, controller) => {
    read += bytes.length;
    onProgress?.({ read, decoded: 0, total });
    controller.enqueue(bytes);
  };
  return stream.pipeThrough(new TransformStream({ transform: count }));
}
