// The demo: compresses or decompresses a file, and shows sizes, speeds and tensors.

import {
  ZipnnCompressStream, ZipnnDecompressStream, createPool, init, openArchive,
} from '../js/index.js';
import { toBlob } from '../js/collect.js';
import { decodeToGpuBuffer, requestDevice } from '../js/gpu.js';
import { request } from '../js/http.js';
import { exponents, histogram } from './histogram.js';
import { bytes, percent, seconds, speed } from './units.js';

const $ = (id) => document.getElementById(id);

/** Controller of the work in progress. */
let current;
/** Result whose tensors the table shows. */
let archive;
/** Tensor that is being read for its histogram. */
let explaining;
let pool;

/** Workers, if the browser allows them. */
const workers = () => (pool ??= createPool().catch(() => undefined));

/** A chosen file or a file of the server. */
const chosen = (file) => ({ name: file.name, size: file.size, open: async () => file.stream() });
const served = ({ name, size }) => ({
  name,
  size,
  open: async (signal) => (await request(`samples/${name}`, { signal })).body,
});

async function work(source) {
  current?.abort();
  archive?.free();
  archive = undefined;
  const controller = new AbortController();
  current = controller;
  const run = { source, signal: controller.signal, chunks: [], start: performance.now() };
  begin(run);
  try {
    await init();
    run.start = performance.now();
    await (/\.znn(\.safetensors)?$/i.test(source.name) ? decompress(run) : compress(run));
  } catch (error) {
    if (current === controller) fail(error);
  } finally {
    if (current === controller) {
      const hadFocus = document.activeElement === $('cancel');
      $('cancel').hidden = true;
      if (hadFocus) $('work-title').focus();
    }
  }
}

async function decompress(run) {
  const { source, signal } = run;
  say('Decompressing…');
  $('wire-label').textContent = 'Compressed';
  const stored = [];
  const keep = new TransformStream({
    transform(part, controller) {
      stored.push(part);
      controller.enqueue(part);
    },
  });
  const decompressing = new ZipnnDecompressStream({
    signal,
    pool: await workers(),
    onFrame: ({ chunks }) => run.chunks.push(...chunks),
    onProgress: ({ read, decoded }) => show(run, read, decoded, read / source.size),
  });
  run.start = performance.now();
  const stream = (await source.open(signal)).pipeThrough(keep).pipeThrough(decompressing);
  const result = await toBlob(stream);
  const took = since(run);
  run.compressed = new Blob(stored);
  show(run, run.compressed.size, result.size, 1);
  await list(run);
  offer(result, source.name.replace(/\.znn$/i, ''));
  finish(run, `Decompressed and verified in ${took}.`);
  await decodeOnGpu(run);
}

/** Decodes the file once more, on the GPU, and shows the time. */
async function decodeOnGpu({ compressed, signal }) {
  const device = await requestDevice().catch(() => undefined);
  signal.throwIfAborted();
  if (!device) {
    $('gpu').textContent = 'This browser offers no GPU that could decode as well.';
    return;
  }
  try {
    let start;
    // The first run compiles the shaders.
    for (let runs = 0; runs < 2; runs++) {
      start = performance.now();
      (await decodeToGpuBuffer(device, compressed, { signal })).buffer.destroy();
    }
    const { description, vendor } = device.adapterInfo ?? {};
    const name = description || vendor || 'unknown';
    $('gpu').textContent = `Decoded on the GPU (${name}) in ${seconds(performance.now() - start)}.`;
  } catch (error) {
    signal.throwIfAborted();
    $('gpu').textContent = `The GPU did not decode it: ${error.message}.`;
  } finally {
    device.destroy();
  }
}

async function compress(run) {
  const { source, signal } = run;
  say('Compressing…');
  $('wire-label').textContent = 'Compressed';
  const compressing = new ZipnnCompressStream({
    signal,
    onProgress: ({ read, written }) => show(run, written, read, read / source.size),
  });
  const stream = (await source.open(signal)).pipeThrough(compressing);
  run.compressed = await toBlob(stream);
  const took = since(run);
  // Decompressing verifies the result, and shows how well each part compressed.
  say('Reading it back…');
  let decoded = 0;
  const back = run.compressed.stream().pipeThrough(new ZipnnDecompressStream({
    signal,
    pool: await workers(),
    onFrame: ({ chunks }) => run.chunks.push(...chunks),
  }));
  for (const reader = back.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    decoded += value.length;
  }
  if (decoded !== source.size) throw new Error('what was compressed does not come back');
  await list(run);
  offer(run.compressed, `${source.name}.znn`);
  finish(run, `Compressed in ${took}, and read back.`);
}

const since = ({ start }) => seconds(performance.now() - start);

function begin({ source }) {
  $('work').hidden = false;
  $('cancel').hidden = false;
  $('error').hidden = true;
  $('gpu').textContent = '';
  $('result').hidden = true;
  $('figures').hidden = false;
  $('progress').hidden = false;
  $('progress').value = 0;
  $('work-title').textContent = source.name;
  URL.revokeObjectURL($('download').href);
  $('download').hidden = true;
  for (const id of ['wire', 'model', 'ratio', 'speed']) $(id).textContent = '–';
}

function show(run, compressed, model, part) {
  const took = performance.now() - run.start;
  $('progress').value = Math.min(part, 1);
  $('wire').textContent = bytes(compressed);
  $('model').textContent = bytes(model);
  if (model > 0) $('ratio').textContent = percent(compressed / model);
  if (took > 0) $('speed').textContent = speed(model / took * 1000);
}

function say(text) {
  $('status').textContent = text;
}

function fail(error) {
  say('');
  $('progress').hidden = true;
  if (error.name === 'AbortError') {
    say('Cancelled.');
    return;
  }
  $('figures').hidden = true;
  $('error').hidden = false;
  $('error').textContent = advice(error);
}

const CUT = 'This file is cut short. Download it again.';
const DAMAGED = 'This file is damaged. Download it again.';
const OTHER = 'This is not a .znn file.';
const PROGRAM = 'This page does not read this kind of .znn file; the program does.';
const CONNECTION = 'The file could not be downloaded.';
/** Advice by the code of the error. */
const ADVICE = {
  BadMagic: OTHER,
  WrongFormat: OTHER,
  BaseRequired: PROGRAM,
  UnsupportedVersion: PROGRAM,
  ZstdRequired: PROGRAM,
  UnsupportedAnnex: 'A newer version wrote this file, which this page does not read.',
  Truncated: CUT,
  FooterMissing: CUT,
  LimitExceeded: 'This file needs more memory than this page takes.',
  OutOfMemory: 'There is not enough memory for this file.',
  NetworkError: CONNECTION,
  HttpError: CONNECTION,
  SourceFailed: 'This file could not be read.',
  LoadFailed: 'This page could not load all of itself. Load it again.',
};

function advice({ code, message, place }) {
  // All other codes with a place mean damage.
  const other = place?.frame === undefined ? 'That did not work.' : DAMAGED;
  const isOther = code === 'BadMagic' && place.frame > 0;
  return `${isOther ? other : ADVICE[code] ?? other} (${message})`;
}

function offer(blob, name) {
  const link = $('download');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.textContent = `Save ${name} (${bytes(blob.size)})`;
  link.hidden = false;
}

/** Returns the tensors of a file, or nothing if it is not a safetensors file. */
async function list(run) {
  const { compressed, signal } = run;
  let opened;
  try {
    opened = await openArchive(compressed, { signal, pool: await workers() });
    run.tensors = await opened.tensors();
    signal.throwIfAborted();
    archive = opened;
  } catch {
    opened?.free();
    signal.throwIfAborted();
  }
}

/** Shows the result and then announces it to screen readers. */
function finish({ chunks, tensors }, text) {
  if (!tensors) {
    say(`${text} It holds no list of tensors.`);
    return;
  }
  const stored = storedLengths(chunks, tensors);
  $('tensors').replaceChildren(...tensors.map((tensor, i) => row(tensor, stored[i])));
  $('tensors-title').textContent = tensors.length === 1 ? '1 tensor' : `${tensors.length} tensors`;
  $('result').hidden = false;
  say(text);
}

/** Returns the compressed bytes of each tensor. Tensors that share a chunk also share its bytes. */
function storedLengths(chunks, tensors) {
  const stored = [];
  let at = 0;
  let number = 0;
  for (const { range: [start, end] } of tensors) {
    let sum = 0;
    while (number < chunks.length) {
      const { decodedLength, length } = chunks[number];
      const shared = Math.min(end, at + decodedLength) - Math.max(start, at);
      if (shared > 0) sum += length * shared / decodedLength;
      if (at + decodedLength > end) break;
      at += decodedLength;
      number += 1;
    }
    stored.push(sum);
  }
  return stored;
}

function element(name, { text, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

/** Returns a name in which lines can break after dots. */
const breakable = (name) => name.split(/(?<=\.)/).flatMap((part) => [part, element('wbr')]);

function row(tensor, stored) {
  const { name, dtype, shape, range: [start, end] } = tensor;
  const part = end > start ? stored / (end - start) : 0;
  const button = element('button', { type: 'button' }, ...breakable(name));
  button.addEventListener('click', () => explain(tensor, part));
  const bar = element('div', { className: 'bar' }, element('i'), element('span', { text: percent(part) }));
  bar.firstChild.style.setProperty('--part', `${Math.min(part, 1) * 100}%`);
  bar.firstChild.ariaHidden = 'true';
  // Narrow screens show the rows as cards, which remain rows for screen readers.
  return element('tr', { role: 'row' },
    element('th', { scope: 'row', role: 'rowheader' }, button),
    element('td', { role: 'cell', text: dtype }),
    element('td', { role: 'cell', text: shape.join(' × ') || 'scalar' }),
    element('td', { role: 'cell', className: 'number', text: bytes(end - start) }),
    element('td', { role: 'cell', className: 'bar-column' }, bar));
}

/** Shows the exponents of a tensor. */
async function explain({ name, dtype, shape }, part) {
  explaining = new AbortController();
  const { signal } = explaining;
  $('details-title').replaceChildren(...breakable(name));
  $('details-text').textContent = 'Reading…';
  $('histogram').replaceChildren();
  $('details').showModal();
  try {
    const { data } = await archive.readTensor(name, { signal });
    const counts = exponents(dtype, data);
    const about = `${dtype}, ${shape.join(' × ') || 'scalar'}, compressed to ${percent(part)}.`;
    $('details-text').textContent = counts ? about : `${about} These are no floating-point numbers.`;
    $('histogram').parentElement.hidden = !counts;
    if (counts) $('histogram').replaceChildren(histogram(counts, $('histogram').clientWidth));
  } catch (error) {
    if (!signal.aborted) $('details-text').textContent = advice(error);
  }
}

$('details').addEventListener('close', () => explaining?.abort());
$('file').addEventListener('change', ({ target }) => {
  if (target.files.length > 0) work(chosen(target.files[0]));
  // Allows choosing the same file again.
  target.value = '';
});
$('cancel').addEventListener('click', () => current?.abort());

for (const type of ['dragenter', 'dragover']) {
  $('drop').addEventListener(type, (event) => {
    event.preventDefault();
    $('drop').classList.add('over');
  });
}
for (const type of ['dragleave', 'drop']) {
  $('drop').addEventListener(type, (event) => {
    event.preventDefault();
    $('drop').classList.remove('over');
  });
}
$('drop').addEventListener('drop', ({ dataTransfer }) => {
  if (dataTransfer.files.length > 0) work(chosen(dataTransfer.files[0]));
});

// A static server has no list of files.
const samples = await fetch('samples.json').then((response) => response.json()).catch(() => []);
$('samples').replaceChildren(...samples.map((sample) => {
  const button = element('button', { type: 'button' }, `${sample.name} `,
    element('small', { text: bytes(sample.size) }));
  button.addEventListener('click', () => work(served(sample)));
  return element('li', {}, button);
}));
$('served').hidden = samples.length === 0;
