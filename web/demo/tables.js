// Draws the tables of files, types and tensors.

import { bar, element, rowButton, tableRow } from './dom.js';
import { bytes, percent } from './units.js';

/** A bar and its part in per cent; `≈` marks an average over data that was compressed together. */
function partCell(part, isAverage = false) {
  const text = `${isAverage ? '≈\u2009' : ''}${percent(part)}`;
  const label = element('span', { text });
  if (isAverage) label.title = 'An average: the tensor was compressed in one chunk with other data';
  return element('div', { className: 'measured' }, bar(part), label);
}

const partOf = (stored, length) => (length > 0 ? stored / length : 0);

const number = (content, label) => ({ className: 'number', content, label });
const measured = (...part) => ({ className: 'bar-column last-column', content: partCell(...part) });

/** Cell with the bytes that were fetched of a tensor. */
export const fetchedCell = (taken) => (taken
  ? { className: 'number last-column', content: bytes(taken.bytes), label: 'Fetched' }
  : { className: 'number last-column none', content: '–' });

/** Rows of tensors. Calls `onChoose` with a tensor and its compressed part. */
export function tensorRows({ tensors, stored, isRemote, taken }, onChoose) {
  return tensors.map((tensor, i) => {
    const { name, dtype, shape, range: [start, end] } = tensor;
    const length = end - start;
    const part = stored && partOf(stored[i].bytes, length);
    return tableRow([rowButton(name, () => onChoose(tensor, part))], [
      { content: dtype },
      { content: shape.join(' × ') || 'scalar' },
      number(bytes(length)),
      isRemote ? fetchedCell(taken.get(name)) : measured(part, stored[i].isShared),
    ]);
  });
}

/** Rows of the totals of each type. */
export const typeRows = (totals, isRemote) => totals.map(({ dtype, count, bytes: length, stored, isShared }) => {
  const cells = [number(count.toLocaleString('en'), 'Tensors'), number(bytes(length))];
  if (!isRemote) cells.push(measured(partOf(stored, length), isShared));
  return tableRow([dtype], cells);
});

/** What the table of files says about a file without sizes. */
const STATES = { waiting: 'waiting', working: 'working…', failed: 'failed', cancelled: 'cancelled' };

function fileCells({ state, sizes }) {
  const { original, compressed, gzip } = state === 'done' ? sizes : {};
  const size = (length, label) => number(length === undefined ? '–' : bytes(length), label);
  const last = state === 'done'
    ? measured(partOf(compressed, original))
    : { className: 'bar-column last-column', content: STATES[state] };
  return [size(original, 'Original'), size(gzip, 'gzip'), size(compressed, 'zipnn'), last];
}

/** Rows of files. Calls `onChoose` with a file. */
export const fileRows = (files, selected, onChoose) => files.map((file) => {
  const row = tableRow([rowButton(file.name, () => onChoose(file))], fileCells(file));
  row.firstChild.firstChild.setAttribute('aria-pressed', file === selected);
  return row;
});

/** The row of the sums of all files that are done. */
export function totalRow(files) {
  const done = files.filter(({ state }) => state === 'done');
  const sum = (key) => done.reduce((sum, { sizes }) => sum + sizes[key], 0);
  const gzip = sum('gzip');
  const sizes = {
    original: sum('original'), compressed: sum('compressed'), gzip: Number.isNaN(gzip) ? undefined : gzip,
  };
  return tableRow([done.length === files.length ? 'All files' : `${done.length} of ${files.length} files`],
    fileCells({ state: 'done', sizes }));
}

/** Lines that compare sizes, with a bar each. */
export function sizeLines({ state, sizes, fetched }) {
  const { original, compressed, speed, gzip, gzipPart } = sizes;
  const line = (name, length, note, className = '') => element('div', { className: `size ${className}` },
    element('dt', { text: name }),
    element('dd', {},
      bar(length === undefined ? 0 : partOf(length, original)),
      element('strong', { text: length === undefined ? '–' : bytes(length) }),
      element('span', { text: note })));
  const share = (length) => percent(partOf(length, original));
  const isWorking = state === 'working' && speed;
  const lines = [line('Original', original, isWorking ? `${bytes(speed)}/s` : '100 %')];
  if (gzipPart !== undefined) {
    lines.push(line('gzip', gzip, gzip === undefined ? `${Math.floor(gzipPart * 100)} % done…` : share(gzip)));
  }
  lines.push(line('zipnn', compressed, share(compressed), 'ours'));
  if (fetched) lines.push(line('Fetched', fetched.bytes, `${percent(fetched.bytes / compressed)} of the file`, 'ours'));
  return lines;
}
