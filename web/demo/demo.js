// The demo: compresses and decompresses files, and shows sizes, speeds and tensors.

import { request } from '../js/http.js';
import { advice } from './advice.js';
import { $, breakable, element, tableCell } from './dom.js';
import { exponents, histogram } from './histogram.js';
import { RemoteWork, urlOf } from './remote.js';
import { fetchedCell, fileRows, sizeLines, tensorRows, totalRow, typeRows } from './tables.js';
import { bytes, count, kibibytes, percent } from './units.js';
import { Work } from './work.js';
import { whyTensor } from './why.js';
import { loadedCode } from './wire.js';

/** Files of the last choice, the one that is shown, and what stops the work on them. */
let works = [];
let selected;
let current;
/** Reading of the tensor in the dialog. */
let explaining;

/** A chosen file or a file of the server. */
const chosen = (file) => ({ name: file.name, size: file.size, file, open: async () => file.stream() });
const served = ({ name, size }) => ({
  name,
  size,
  open: async (signal) => (await request(`samples/${name}`, { signal })).body,
});

/** Works on files, one after another, instead of those before. */
async function start(make) {
  current?.abort();
  const controller = new AbortController();
  const { signal } = controller;
  current = controller;
  for (const work of works) work.free();
  const own = [];
  const changed = (work) => own === works && changedIn(work);
  own.push(...make((work) => changed(work)));
  works = own;
  $('cancel').hidden = false;
  select(works[0]);
  let next = 0;
  for (const work of own) {
    if (signal.aborted) {
      work.fail(undefined, signal);
      continue;
    }
    // Follows the work, unless the user has chosen another file.
    if (next > 0 && selected === own[next - 1]) select(work);
    next += 1;
    await work.run(signal);
    if (own !== works) return work.free();
    drawWhole();
  }
  const hadFocus = document.activeElement === $('cancel');
  $('cancel').hidden = true;
  if (hadFocus) $('work-title').focus();
}

const startFiles = (sources) => start((changed) => sources.map((source) => {
  const work = new Work(source, () => changed(work));
  return work;
}));

const startRemote = (url) => start((changed) => {
  const work = new RemoteWork(url, () => changed(work));
  return [work];
});

/** Shows a file. */
function select(work) {
  selected = work;
  drawn = undefined;
  drawWhole();
}

/** State that is drawn, so that tables are drawn once only. */
let drawn;

function changedIn(work) {
  if (work !== selected || work.state !== drawn) {
    drawWhole();
    return;
  }
  drawProgress();
}

function drawWhole() {
  drawFiles();
  drawProgress();
  drawTables();
  drawn = selected.state;
}

function drawFiles() {
  const areSeveral = works.length > 1;
  $('files-section').hidden = !areSeveral;
  if (!areSeveral) return;
  const focused = [...$('files').querySelectorAll('button')].indexOf(document.activeElement);
  $('files-title').textContent = count(works.length, 'file');
  $('files').replaceChildren(...fileRows(works, selected, select));
  $('files-total').replaceChildren(totalRow(works));
  $('files').querySelectorAll('button')[focused]?.focus();
}

/** Sets a text, and leaves it alone if it is the same, so that it is announced once only. */
function say(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function drawProgress() {
  const { name, state, status, progress, error, sizes, speeds, gpu, why } = selected;
  $('work').hidden = false;
  if ($('work-title').textContent !== name) $('work-title').replaceChildren(...breakable(name));
  const isWorking = state === 'working';
  $('progress').hidden = !isWorking;
  if (progress === undefined) $('progress').removeAttribute('value');
  else $('progress').value = progress;
  say('status', status);
  $('error').hidden = !error;
  say('error-text', error ? advice(error) : '');
  say('error-detail', error?.message ?? '');
  const hasSizes = sizes.original !== undefined && !error;
  $('sizes').hidden = !hasSizes;
  if (hasSizes) $('sizes').replaceChildren(...sizeLines(selected));
  say('why', why ?? '');
  say('speeds', speeds ?? '');
  say('gpu', gpu);
  drawSavings();
}

/** Compares what is saved with the code that the page itself has loaded. */
function drawSavings() {
  const { state, sizes: { original, compressed } } = selected;
  if (state !== 'done' || selected.isRemote) {
    say('code', '');
    return;
  }
  selected.code ??= loadedCode();
  const { wasm, js } = selected.code;
  const saved = original - compressed;
  const code = `This page has loaded ${kibibytes(wasm)} of WebAssembly and ${kibibytes(js)} of JavaScript.`;
  say('code', saved > 0 ? `${bytes(saved)} less to transfer. ${code}` : code);
}

function drawTables() {
  const { tensors, stored, totals, state, isRemote } = selected;
  const { download } = selected;
  offer(state === 'done' ? download : undefined);
  const hasTensors = state === 'done' && tensors?.length > 0;
  $('types-section').hidden = !hasTensors;
  $('result').hidden = !hasTensors;
  if (!hasTensors) return;
  $('types').replaceChildren(...typeRows(totals, isRemote));
  $('types-section').querySelector('.last-column').hidden = Boolean(isRemote);
  $('tensors-title').textContent = count(tensors.length, 'tensor');
  $('last-title').textContent = isRemote ? 'Fetched' : 'Compressed to';
  $('last-title').className = isRemote ? 'number last-column' : 'bar-column last-column';
  const isAveraged = stored?.some(({ isShared }) => isShared);
  say('tensors-hint', [
    isRemote ? 'Choose one to fetch it.' : 'Choose one to see its exponents.',
    isAveraged ? '≈ marks an average: the tensor was compressed in one chunk with other data.' : '',
  ].join(' ').trim());
  $('tensors').replaceChildren(...tensorRows(selected, explain));
}

/** Offers a result to be saved. */
function offer(download) {
  const link = $('download');
  link.hidden = !download;
  if (link.blob === download?.blob) return;
  URL.revokeObjectURL(link.href);
  link.blob = download?.blob;
  if (!download) return;
  link.href = URL.createObjectURL(download.blob);
  link.download = download.name;
  link.textContent = `Save ${download.name} (${bytes(download.blob.size)})`;
}

/** Shows the exponents of a tensor. */
async function explain({ name, dtype, shape, range: [start, end] }, part) {
  const work = selected;
  explaining = new AbortController();
  const { signal } = explaining;
  $('details-title').replaceChildren(...breakable(name));
  $('details-text').textContent = 'Reading…';
  $('details-traffic').hidden = true;
  $('histogram').parentElement.hidden = true;
  $('histogram').replaceChildren();
  $('details').showModal();
  try {
    const { data } = await (work.isRemote ? work : work.archive).readTensor(name, { signal });
    if (signal.aborted) return;
    const counts = exponents(dtype, data);
    const size = part === undefined ? bytes(end - start) : `${bytes(end - start)}, compressed to ${percent(part)}`;
    const about = `${dtype}, ${shape.join(' × ') || 'scalar'}, ${size}.`;
    const reason = part === undefined ? '' : whyTensor(dtype, part);
    const other = counts || reason ? '' : 'This tensor does not contain floating-point numbers.';
    $('details-text').textContent = [about, reason, other].filter(Boolean).join(' ');
    $('details-traffic').hidden = !work.isRemote;
    if (work.isRemote) {
      $('details-traffic').textContent = work.describe(name);
      showFetched(work, name);
    }
    $('histogram').parentElement.hidden = !counts;
    if (counts) $('histogram').replaceChildren(histogram(counts, $('histogram').clientWidth));
  } catch (error) {
    if (!signal.aborted) $('details-text').textContent = `${advice(error)} (${error.message})`;
  }
}

/** Shows in the table how many bytes of a tensor have been fetched. */
function showFetched({ tensors, taken }, name) {
  const row = $('tensors').rows[tensors.findIndex((tensor) => tensor.name === name)];
  row.lastChild.replaceWith(tableCell(fetchedCell(taken.get(name))));
}

/** Opens the file at the address in the field. */
function openRemote() {
  const url = urlOf($('url').value.trim());
  $('url').setCustomValidity(url ? '' : 'This is no address of a file. Addresses begin with https:// or http://.');
  $('url').reportValidity();
  if (url) startRemote(url);
}

$('details').addEventListener('close', () => explaining?.abort());
$('file').addEventListener('change', ({ target }) => {
  if (target.files.length > 0) startFiles([...target.files].map(chosen));
  // Allows choosing the same files again.
  target.value = '';
});
$('cancel').addEventListener('click', () => current?.abort());
$('remote').addEventListener('submit', (event) => {
  event.preventDefault();
  openRemote();
});
$('url').addEventListener('input', () => $('url').setCustomValidity(''));

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
  if (dataTransfer.files.length > 0) startFiles([...dataTransfer.files].map(chosen));
});

// A static server has no list of files.
const samples = await fetch('samples.json').then((response) => response.json()).catch(() => []);
$('samples').replaceChildren(...samples.map((sample) => {
  const button = element('button', { type: 'button' }, `${sample.name} `,
    element('small', { text: bytes(sample.size) }));
  button.addEventListener('click', () => startFiles([served(sample)]));
  return element('li', {}, button);
}));
$('served').hidden = samples.length === 0;
const remote = samples.find(({ name }) => name.endsWith('.znn'));
if (remote) $('url').value = new URL(`samples/${remote.name}`, location.href).href;
// Links can name a file to open: `?open=URL`.
const linked = new URLSearchParams(location.search).get('open');
if (linked) {
  $('url').value = linked;
  openRemote();
}
