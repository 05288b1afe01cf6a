// A `fetch` that decompresses, for libraries that load models by themselves.

import { openArchive } from './archive.js';

/** Names of files of models, which can be stored compressed. */
const MODELS = /\.(onnx|onnx_data(_\d+)?|onnx\.data|safetensors|gguf|bin)$/i;
/** Statuses by which servers say that there is no such file; some stores answer 403. */
const MISSING = [403, 404, 410];
/** Headers that also hold for the decompressed file. */
const KEPT = ['ETag', 'Last-Modified'];

/**
 * Returns a function like `fetch`, which returns files decompressed. For the URL of a model, it requests
 * the file with the ending `.znn`, and without it if the server has no such file.
 */
export function createFetch(module, ZipnnDecompressStream, options = {}) {
  const { fetch = globalThis.fetch, matches = ({ pathname }) => MODELS.test(pathname), ...others } = options;
  return async (input, init) => {
    const call = callOf(input, init);
    const { url, method, headers } = call;
    const isCompressed = /\.znn$/i.test(url.pathname);
    const isWanted = /^https?:$/.test(url.protocol) && (isCompressed || matches(url));
    if (!isWanted || !['GET', 'HEAD'].includes(method)) return fetch(input, init);
    const stored = new URL(url);
    if (!isCompressed) stored.pathname += '.znn';
    const answer = method === 'HEAD' || headers.has('Range')
      ? await part(module, fetch, stored, call, others)
      : await whole(ZipnnDecompressStream, fetch, stored, call, others);
    return answer ?? fetch(input, init);
  };
}

/** Returns what a call of `fetch` asks for. */
function callOf(input, init = {}) {
  const request = input instanceof Request ? input : { url: input };
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  return {
    url: new URL(request.url, base),
    method: (init.method ?? request.method ?? 'GET').toUpperCase(),
    headers: new Headers(init.headers ?? request.headers),
    signal: init.signal ?? request.signal ?? undefined,
    // Of a `Request`, only these two settings matter for a file.
    init: { credentials: request.credentials, cache: request.cache, ...init },
  };
}

/** Returns the whole file, or nothing if the server does not have it. */
async function whole(ZipnnDecompressStream, fetch, url, { init, headers, signal }, options) {
  const response = await fetch(url, { ...init, headers, signal }).catch((error) => {
    signal?.throwIfAborted();
    if (error instanceof TypeError) return undefined;
    throw error;
  });
  // Servers of other origins may not allow pages to see that a file is missing.
  if (!response) return undefined;
  const { body, ok, status } = response;
  if (MISSING.includes(status) || isPage(response)) {
    body?.cancel().catch(() => {});
    return undefined;
  }
  if (!ok || !body) return response;
  const stream = body.pipeThrough(new ZipnnDecompressStream({ ...options, signal }));
  return new Response(stream, { status, headers: described(response) });
}

/** Returns whether the response is a page, which some servers send for every URL. */
const isPage = ({ headers }) => /^text\/html/i.test(headers.get('Content-Type') ?? '');

function described({ headers }) {
  const kept = KEPT.filter((name) => headers.has(name)).map((name) => [name, headers.get(name)]);
  return new Headers([...kept, ['Content-Type', 'application/octet-stream']]);
}

/** Returns the length of the file or a range of it, or nothing if the server does not have the file. */
async function part(module, fetch, url, { method, headers, signal }, { pool, limits }) {
  const range = headers.get('Range');
  headers.delete('Range');
  let archive;
  try {
    archive = await openArchive(await module.load(), url, { fetch, headers, signal, pool, limits });
  } catch (error) {
    const isMissing = error.code === 'NetworkError' || MISSING.includes(error.status) || error.format === 'html';
    if (isMissing) return undefined;
    // As `fetch` does, returns the status of a server that fails.
    if (error.code === 'HttpError' && error.status >= 400) return new Response(null, { status: error.status });
    throw error;
  }
  try {
    const { decodedLength } = archive;
    const type = { 'Content-Type': 'application/octet-stream', 'Accept-Ranges': 'bytes' };
    if (method === 'HEAD') return new Response(null, { headers: { ...type, 'Content-Length': decodedLength } });
    const [start, end] = rangeOf(range, decodedLength);
    if (start >= end) {
      return new Response(null, { status: 416, headers: { 'Content-Range': `bytes */${decodedLength}` } });
    }
    const bytes = await archive.read(start, end);
    const contentRange = `bytes ${start}-${end - 1}/${decodedLength}`;
    return new Response(bytes, {
      status: 206,
      headers: { ...type, 'Content-Length': bytes.length, 'Content-Range': contentRange },
    });
  } finally {
    archive.free();
  }
}

/** Returns the start and the end of a range of a file. Several ranges are answered by all of the file. */
function rangeOf(range, length) {
  const found = /^bytes=(\d*)-(\d*)$/.exec(range);
  if (!found || found[0] === 'bytes=-') return [0, length];
  const [first, last] = [found[1], found[2]];
  if (first === '') return [Math.max(0, length - Number(last)), length];
  return [Number(first), last === '' ? length : Math.min(length, Number(last) + 1)];
}
