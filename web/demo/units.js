// Numbers for people.

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

export function bytes(count) {
  const unit = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(count, 1)) / 3));
  const number = count / 1000 ** unit;
  return `${number.toFixed(unit === 0 || number >= 100 ? 0 : 1)} ${UNITS[unit]}`;
}

export const speed = (bytesASecond) => `${bytes(bytesASecond)}/s`;

export const percent = (part) => `${(part * 100).toFixed(1)} %`;
