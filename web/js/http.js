// Requests and their answers. What goes wrong with them becomes an error of this package.

import { ZipnnError, sourceError } from './error.js';

/** What to do about a status, where that can be said. */
const STATUS_ADVICE = {
  0: 'the request was made with mode "no-cors", whose answers cannot be read',
  401: 'sign in, or send a token in the header Authorization',
  403: 'sign in, or send a token in the header Authorization',
  404: 'check the URL',
  410: 'check the URL',
  429: 'try again later',
};

/** Sends a request and returns the answer of a server that has what was asked for. */
export async function request(url, { fetch = globalThis.fetch, headers, ...init }) {
  const all = { ...init, headers: new Headers(headers) };
  let response;
  try {
    response = await fetch(url, all);
  } catch (cause) {
    const what = `${url} cannot be fetched (check the URL, the network, and that the server allows this origin)`;
    throw sourceError('NetworkError', what, cause, init.signal);
  }
  bodyOf(response, url);
  return response;
}

/** The body of an answer, unless that is an error. */
export function bodyOf(response, url = response.url) {
  const { body, ok, status, statusText } = response;
  if (ok && body) return body;
  body?.cancel().catch(() => {});
  const answer = `${url || 'the server'}: the answer is ${status} ${statusText}`.trimEnd();
  const advice = ok ? 'it has no data' : STATUS_ADVICE[status] ?? (status >= 500 ? STATUS_ADVICE[429] : '');
  throw new ZipnnError('HttpError', advice ? `${answer}; ${advice}` : answer, { status });
}

/** The error of a body that could not be read to its end. */
export const connectionError = (url, cause, signal) =>
  sourceError('NetworkError', `${url}: the connection broke (try again)`, cause, signal);

/** Whether the body is coded: then ranges are not of the file's own bytes, and lengths are not its. */
export const isCoded = ({ headers }) => !/^(identity)?$/i.test(headers.get('Content-Encoding') ?? '');

/** Which bytes a part holds, and of how many, as its `Content-Range` says. */
export function contentRange({ headers }) {
  const found = /^bytes (\d+)-(\d+)\/(\d+)$/i.exec(headers.get('Content-Range') ?? '');
  if (!found) return undefined;
  const [start, last, size] = found.slice(1).map(Number);
  return { start, end: last + 1, size };
}
