// Sends requests and checks responses. Failures become a `ZipnnError`.

import { ZipnnError, sourceError } from './error.js';

/** Advice by HTTP status; 0 is the status of opaque responses. */
const STATUS_ADVICE = {
  0: 'a request with mode "no-cors" has no readable response: use mode "cors"',
  401: 'sign in, or send a token in the header Authorization',
  403: 'sign in, or send a token in the header Authorization',
  404: 'check the URL',
  410: 'check the URL',
  429: 'try again later',
};

/** Sends a request and returns the response, which has a body and no error status. */
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

/** Returns the body of a response. Throws if the status is an error, or there is no body. */
export function bodyOf(response, url = response.url) {
  const { body, ok, status, statusText } = response;
  if (ok && body) return body;
  body?.cancel().catch(() => {});
  const answer = `${url ? `${url}: ` : ''}the server answered ${status} ${statusText}`.trimEnd();
  const advice = ok ? 'it has no data' : STATUS_ADVICE[status] ?? (status >= 500 ? STATUS_ADVICE[429] : '');
  throw new ZipnnError('HttpError', advice ? `${answer}; ${advice}` : answer, { status });
}

/** Returns the error for a body that could not be read to its end. */
export const connectionError = (url, cause, signal) =>
  sourceError('NetworkError', `${url}: the connection broke (try again)`, cause, signal);

/** Returns whether the body is encoded, so that its lengths and ranges differ from those of the file. */
export const isEncoded = ({ headers }) => !/^(identity)?$/i.test(headers.get('Content-Encoding') ?? '');

/** Returns the range and the size of the file from `Content-Range`, or `undefined` without both. */
export function contentRange({ headers }) {
  const found = /^bytes (\d+)-(\d+)\/(\d+)$/i.exec(headers.get('Content-Range') ?? '');
  if (!found) return undefined;
  const [start, last, size] = found.slice(1).map(Number);
  return { start, end: last + 1, size };
}
