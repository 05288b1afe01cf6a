// Counts exponents and draws a histogram.

/** Lowest bit, width and bias of the exponent. */
const EXPONENTS = {
  F32: { at: 23, bits: 8, bias: 127 },
  BF16: { at: 7, bits: 8, bias: 127 },
  F16: { at: 10, bits: 5, bias: 15 },
  F8_E4M3: { at: 3, bits: 4, bias: 7 },
  F8_E5M2: { at: 2, bits: 5, bias: 15 },
};

/** Counts exponents from the smallest to the largest that occur. Returns nothing for other types. */
export function exponents(dtype, data) {
  const layout = EXPONENTS[dtype];
  if (!layout || data.length === 0) return undefined;
  const { at, bits, bias } = layout;
  const numbers = dtype === 'F32' ? new Uint32Array(data.buffer, data.byteOffset, data.length) : data;
  const counts = new Array(1 << bits).fill(0);
  const mask = counts.length - 1;
  for (let i = 0; i < numbers.length; i++) counts[(numbers[i] >>> at) & mask] += 1;
  const isThere = (count) => count > 0;
  const first = counts.findIndex(isThere);
  return { first: first - bias, counts: counts.slice(first, counts.findLastIndex(isThere) + 1) };
}

const HEIGHT = 220;
const FLOOR = 190;
/** Space for a number below a bar. */
const LABEL_WIDTH = 40;
const NAMESPACE = 'http://www.w3.org/2000/svg';

function shape(name, attributes, text = '') {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

/** Draws counts at this width in pixels. */
export function histogram({ first, counts }, width) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const most = counts.reduce((most, count) => Math.max(most, count), 0);
  const mode = first + counts.indexOf(most);
  const label = `${counts.filter((count) => count > 0).length} exponents occur, from ${first} to `
    + `${first + counts.length - 1}; ${mode} most often, in ${(most / total * 100).toFixed(0)} % of numbers`;
  const picture = shape('svg', {
    viewBox: `0 0 ${width} ${HEIGHT}`, class: 'histogram', role: 'img', 'aria-label': label,
  });
  const step = width / Math.max(counts.length, 12);
  const left = (width - step * counts.length) / 2;
  picture.append(shape('line', { x1: 0, x2: width, y1: FLOOR + 0.5, y2: FLOOR + 0.5 }));
  const each = Math.ceil(LABEL_WIDTH / step);
  counts.forEach((count, i) => {
    // Makes small counts visible.
    const height = count === 0 ? 0 : Math.max(1, count / most * (FLOOR - 20));
    const x = left + i * step;
    const bar = shape('rect', {
      x: x + step * 0.1, width: step * 0.8, y: FLOOR - height, height, rx: Math.min(2, step / 4),
    });
    bar.append(shape('title', {}, `2^${first + i}: ${count.toLocaleString('en')} numbers`));
    picture.append(bar);
    if (i % each === 0) {
      picture.append(shape('text', { x: x + step / 2, y: FLOOR + 18, 'text-anchor': 'middle' }, first + i));
    }
  });
  return picture;
}
