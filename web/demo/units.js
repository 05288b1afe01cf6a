// Formats numbers for readers.

/** Keeps a number and its unit on one line. */
const SPACE = '\u00a0';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

export function bytes(count) {
  const unit = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(count, 1)) / 3));
  const number = count / 1000 ** unit;
  return `${number.toFixed(unit === 0 || number >= 100 ? 0 : 1)}${SPACE}${UNITS[unit]}`;
}

export const kibibytes = (count) => `${Math.round(count / 1024)}${SPACE}KiB`;

export const speed = (bytesASecond) => `${bytes(bytesASecond)}/s`;

export const percent = (part) => `${(part * 100).toFixed(1)}${SPACE}%`;

export const seconds = (milliseconds) => (milliseconds < 1000
  ? `${Math.round(milliseconds)}${SPACE}ms`
  : `${(milliseconds / 1000).toFixed(1)}${SPACE}s`);

export const count = (number, one, many = `${one}s`) =>
  `${number.toLocaleString('en')}${SPACE}${number === 1 ? one : many}`;
