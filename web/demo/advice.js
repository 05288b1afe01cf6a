// Explains errors in plain words.

const CUT = 'This file is cut short. Download it again.';
const DAMAGED = 'This file is damaged. Download it again.';
const OTHER = 'This is not a .znn file.';
const PROGRAM = 'This page does not read this kind of .znn file; the program does.';
const UNREACHABLE = 'The file could not be downloaded. The address may be wrong, the server may be down, '
  + 'or it does not allow other websites to read its files (CORS).';

/** Advice by the code of the error. */
const ADVICE = {
  BadMagic: OTHER,
  WrongFormat: OTHER,
  BaseRequired: PROGRAM,
  UnsupportedVersion: PROGRAM,
  UnsupportedAnnex: 'A newer version wrote this file, which this page does not read.',
  Truncated: CUT,
  FooterMissing: CUT,
  LimitExceeded: 'This file needs more memory than this page takes.',
  OutOfMemory: 'There is not enough memory for this file. Close other pages, or use the program.',
  NetworkError: UNREACHABLE,
  HttpError: 'The server did not send the file.',
  BadRange: 'The server sent the wrong part of the file. Download the file, and choose it here.',
  SourceChanged: 'The file has changed on the server in the meantime. Open it again.',
  SourceFailed: 'This file could not be read. It may have been changed, moved or deleted: choose it again.',
  NotSafetensors: 'This file holds no list of tensors, so that there are no parts to pick.',
  LoadFailed: 'This page could not load all of itself. Load it again.',
};

/** What servers mean by these statuses. */
const STATUS = {
  401: 'The server wants you to sign in first.',
  403: 'The server does not allow you to read this file.',
  404: 'The server has no file at this address.',
  410: 'The server no longer has this file.',
  429: 'The server has had too many requests. Try again later.',
};

const FORMAT = {
  html: 'This address leads to a web page, not to a file. On the Hugging Face Hub, write /resolve/ in place of '
    + '/blob/.',
  safetensors: 'This file is not compressed. Choose it above to compress it.',
  'git-lfs': 'This is only a pointer of Git LFS, not the file itself. Download the file itself.',
  'znn.safetensors': 'This is not a .znn file as a whole: its single tensors are compressed.',
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
  const other = place?.frame === undefined ? 'That did not work.' : DAMAGED;
  return FORMAT[format] ?? STATUS[status] ?? ADVICE[code] ?? NAMES[name] ?? other;
}
