// Explains errors in plain words.

const CUT = 'This file is cut short. Download it again.';
const DAMAGED = 'This file is damaged. Download it again.';
const OTHER = 'This is not a .znn file.';
const PROGRAM = 'This page cannot read this kind of .znn file. Use the program zipnn.';
const UNREACHABLE = 'The file could not be downloaded. The address may be wrong, the server may be down, '
  + 'or it does not allow other websites to read its files (CORS).';

/** Advice by the code of the error. */
const ADVICE = {
  BadMagic: OTHER,
  WrongFormat: OTHER,
  BaseRequired: PROGRAM,
  UnsupportedVersion: PROGRAM,
  UnsupportedAnnex: 'A newer version of zipnn wrote this file, and this page cannot read it.',
  Truncated: CUT,
  FooterMissing: CUT,
  LimitExceeded: 'This file needs more memory than this page allows.',
  OutOfMemory: 'There is not enough memory for this file. Close other pages, or use the program.',
  NetworkError: UNREACHABLE,
  HttpError: 'The server did not send the file.',
  BadRange: 'The server sent the wrong part of the file. Download the file, and choose it here.',
  SourceChanged: 'The file has changed on the server since you opened it. Open it again.',
  SourceFailed: 'This file could not be read. It may have been changed, moved or deleted. Choose it again.',
  NotSafetensors: 'This file has no list of tensors, so single tensors cannot be read.',
  LoadFailed: 'A part of this page could not be loaded. Reload the page.',
};

/** What servers mean by these statuses. */
const STATUS = {
  401: 'The server wants you to sign in first.',
  403: 'The server does not allow you to read this file.',
  404: 'The server has no file at this address.',
  410: 'The server no longer has this file.',
  429: 'The server has received too many requests. Try again later.',
};

const FORMAT = {
  html: 'This address leads to a web page, not to a file. On the Hugging Face Hub, replace /blob/ in the '
    + 'address with /resolve/.',
  safetensors: 'This file is not compressed. Choose it above to compress it.',
  'git-lfs': 'This is a Git LFS pointer, not the file itself. Download the file itself.',
  'znn.safetensors': 'This is a safetensors file with compressed tensors inside. Use the program zipnn.',
};

/** Errors of browsers by their names. */
const NAMES = {
  NotReadableError: ADVICE.SourceFailed,
  NotFoundError: ADVICE.SourceFailed,
  QuotaExceededError: ADVICE.OutOfMemory,
};

/** Returns what happened in plain words. */
export function advice({ code, name, status, format, place }) {
  if (code === 'BadMagic' && place.frame > 0) return DAMAGED;
  // All other codes with a place mean damage.
  const other = place?.frame === undefined ? 'This file could not be processed.' : DAMAGED;
  return FORMAT[format] ?? STATUS[status] ?? ADVICE[code] ?? NAMES[name] ?? other;
}
