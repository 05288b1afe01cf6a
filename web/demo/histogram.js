// Counts exponents and draws a histogram.

/** Lowest bit, width and bias of the exponent; whether its largest value means infinity or NaN. */
const EXPONENTS = {
  F32: { at: 23, bits: 8, bias: 127, isSpecial: true },
  BF16: { at: 7, bits: 8, bias: 127, isSpecial: true },
  F16: { at: 10, bits: 5, bias: 15, isSpecial: true },
  F8_E4M3: { at: 3, bits: 4, bias: 7, isSpecial: false },
  F8_E5M2: { at: 2, bits: 5, bias: 15, isSpecial: true },
};

const isThere = (count) => count > 0;

/**
 * Counts exponents. Returns a list from the smallest number to the largest: zeros, powers of two, and
 * infinities. Returns nothing for other types.
 */
export function exponents(dtype, data) {
  const layout = EXPONENTS[dtype];
  if (!layout || data.length === 0) return undefined;
  const { at, bits, bias, isSpecial } = layout;
  const numbers = dtype === 'F32' ? new Uint32Array(data.buffer, data.byteOffset, data.length) : data;
  const counts = new Array(1 << bits).fill(0);
  const mask = counts.length - 1;
  for (let i = 0; i < numbers.length; i++) counts[(numbers[i] >>> at) & mask] += 1;
  const powers = isSpecial ? counts.slice(1, -1) : counts.slice(1);
  const first = Math.max(0, powers.findIndex(isThere));
  const list = powers.slice(first, powers.findLastIndex(isThere) + 1)
    .map((count, i) => ({ power: first + 1 + i - bias, count }));
  if (counts[0] > 0) list.unshift({ name: '0', about: 'zero or nearly', count: counts[0] });
  const special = isSpecial ? counts.at(-1) : 0;
  if (special > 0) list.push({ name: '∞', about: 'infinite or NaN', count: special });
  return list;
}

const HEIGHT = 224;
const FLOOR = 190;
/** Space for a power below a bar. */
const LABEL_WIDTH = 34;
const NAMESPACE = 'http://www.w3.org/2000/svg';
const MINUS = '\u2212';

function shape(name, attributes, text = '') {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

const signed = (power) => (power < 0 ? `${MINUS}${-power}` : `${power}`);

/** Returns what a bar stands for, in a line of text. */
const nameOf = ({ power, about }) => about ?? `2^${signed(power)}`;

/** Returns the label below a bar: a power of two, or a name. */
function labelOf({ power, name }, x) {
  const label = shape('text', { x, y: FLOOR + 20, 'text-anchor': 'middle' }, name ?? '2');
  if (name === undefined) label.append(shape('tspan', { dy: '-0.4em', class: 'power' }, signed(power)));
  return label;
}

/** Draws counts at this width in pixels. */
export function histogram(list, width) {
  const total = list.reduce((sum, { count }) => sum + count, 0);
  const most = list.reduce((most, bar) => (bar.count > most.count ? bar : most));
  const share = (count) => `${(count / total * 100).toFixed(1)} %`;
  const label = `${list.filter(({ count }) => count > 0).length} exponents occur, from ${nameOf(list[0])} to `
    + `${nameOf(list.at(-1))}; ${nameOf(most)} most often, in ${share(most.count)} of numbers`;
  const picture = shape('svg', {
    viewBox: `0 0 ${width} ${HEIGHT}`, class: 'histogram', role: 'img', 'aria-label': label,
  });
  const step = width / Math.max(list.length, 12);
  const left = (width - step * list.length) / 2;
  picture.append(shape('line', { x1: 0, x2: width, y1: FLOOR + 0.5, y2: FLOOR + 0.5 }));
  const each = Math.ceil(LABEL_WIDTH / step);
  list.forEach((bar, i) => {
    const { count } = bar;
    // Makes small counts visible.
    const height = count === 0 ? 0 : Math.max(1, count / most.count * (FLOOR - 24));
    const x = left + i * step;
    const rect = shape('rect', {
      x: x + step * 0.1, width: step * 0.8, y: FLOOR - height, height, rx: Math.min(2, step / 4),
    });
    rect.append(shape('title', {}, `${nameOf(bar)}: ${count.toLocaleString('en')} numbers, ${share(count)}`));
    picture.append(rect);
    if (bar === most) {
      const at = Math.min(width - 22, Math.max(22, x + step / 2));
      picture.append(shape('text', { x: at, y: FLOOR - height - 6, 'text-anchor': 'middle' }, share(count)));
    }
    // Every name and every few powers, which must not touch.
    const isLabelled = bar.name !== undefined
      || (bar.power % each === 0 && list.every(({ name }, j) => name === undefined || Math.abs(i - j) >= each));
    if (isLabelled) picture.append(labelOf(bar, x + step / 2));
  });
  return picture;
}
