// Measures decompression in this browser. `tools/bench.js` also calls `measure`.

import { ZipnnDecompressStream, decompress, init } from '../js/decode.js';
import { percent, speed } from './units.js';

/** Turns of each candidate, and measurements in each, one right after another as in the program. */
const TURNS = 3;
const RUNS = 9;
/** Bytes to decompress before measuring, while the browser optimizes the code. */
const WARM_UP = 100 << 20;
/** Bytes to decompress in a measurement, because the browser's clock is coarse. */
const MEASURED = 8 << 20;

/** Lets the browser collect the garbage of the candidate before. */
const pause = () => new Promise((resolve) => setTimeout(resolve, 30));

const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1];
const load = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer());

/** Returns the bytes per second of each candidate, measured in turns. */
async function measureAll(runs, length) {
  const times = runs.map(() => []);
  const repeated = Math.ceil(MEASURED / length);
  const warm = Math.ceil(WARM_UP / length / TURNS);
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [number, run] of runs.entries()) {
      await pause();
      for (let i = 0; i < warm; i++) {
        const decoded = await run();
        if (decoded !== length) throw new Error(`decompressed to ${decoded} bytes instead of ${length}`);
      }
      for (let i = 0; i < RUNS; i++) {
        const start = performance.now();
        for (let j = 0; j < repeated; j++) await run();
        times[number].push((performance.now() - start) / repeated);
      }
    }
  }
  return times.map((took) => length / median(took) * 1000);
}

/** Returns a stream of bytes in parts, as from a network. */
function arriving(bytes) {
  const PART = 1 << 16;
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      // A copy, because some streams transfer the memory of their input.
      controller.enqueue(bytes.slice(at, at + PART));
      at += PART;
    },
  });
}

/** Reads a stream into the same memory repeatedly. */
async function drainIntoMemory(bytes, stream) {
  let length = 0;
  let memory = new ArrayBuffer(1 << 18);
  const reader = arriving(bytes).pipeThrough(stream).getReader({ mode: 'byob' });
  for (let part; !(part = await reader.read(new Uint8Array(memory))).done; ) {
    length += part.value.length;
    memory = part.value.buffer;
  }
  return length;
}

async function drain(bytes, stream) {
  let length = 0;
  const reader = arriving(bytes).pipeThrough(stream).getReader();
  for (let part; !(part = await reader.read()).done; ) length += part.value.length;
  return length;
}

/** Returns name, compressed size and bytes per second of each candidate. */
export async function measure() {
  await init();
  const { znn, gzip, length } = await (await fetch('bench.json')).json();
  const [packed, zipped] = await Promise.all([load(znn), load(gzip)]);
  const into = new Uint8Array(length);
  const decompressed = async (limits) => (await decompress(packed, { into, limits })).length;
  const ways = [
    ['zipnn, decompress', packed, () => decompressed()],
    ['zipnn, decompress without verifying', packed, () => decompressed({ verify: false })],
    ['zipnn, stream', packed, () => drain(packed, new ZipnnDecompressStream())],
    ['zipnn, stream into reused memory', packed, () => drainIntoMemory(packed, new ZipnnDecompressStream())],
    ['gzip, DecompressionStream', zipped, () => drain(zipped, new DecompressionStream('gzip'))],
  ];
  const speeds = await measureAll(ways.map(([, , run]) => run), length);
  return ways.map(([name, bytes], i) => ({ name, ratio: bytes.length / length, speed: speeds[i] }));
}

globalThis.measure = measure;

const $ = (id) => document.getElementById(id);
$('run').addEventListener('click', async () => {
  $('run').disabled = true;
  $('status').textContent = 'Measuring…';
  try {
    const results = await measure();
    $('rows').replaceChildren(...results.map((result) => {
      const row = document.createElement('tr');
      const name = document.createElement('th');
      name.scope = 'row';
      name.textContent = result.name;
      row.append(name, ...[percent(result.ratio), speed(result.speed)].map((text) => {
        const cell = document.createElement('td');
        cell.className = 'number';
        cell.textContent = text;
        return cell;
      }));
      return row;
    }));
    $('results').hidden = false;
    $('status').textContent = 'Done.';
  } catch (error) {
    $('status').textContent = `The measurement failed: ${error.message}`;
  }
  $('run').disabled = false;
});
