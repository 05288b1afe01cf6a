// Measures decompression in Chromium and with the program in one run: `node tools/bench.js [FILE]`.
// FILE is a bfloat16 safetensors file; by default, the weights of the tests.

import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

import { demoFiles } from '../demo/serve.js';
import { TestServer } from './server.js';
import { launchOptions } from './chromium.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const path = process.argv[2];

/** Returns the speed of the program on one thread with reused memory. */
function native(file, ...checksums) {
  const program = join(repository, 'target/release/zipnn');
  const text = execFileSync(program, ['bench', '--threads', '1', ...checksums, file], { encoding: 'utf8' });
  const [, speed] = /^memory reused .* (\d+) MB\/s$/m.exec(text);
  console.log(`program${checksums.length > 0 ? ', verifying' : ''}: ${speed} MB/s`);
}

function natives(file) {
  native(file, '--checksums');
  native(file);
}

const server = await new TestServer(await demoFiles(path)).listen();
const folder = await mkdtemp(join(tmpdir(), 'zipnn-bench-'));
try {
  const weights = await readFile(path ?? join(repository, 'tests/data/minilm-slice.bf16.safetensors'));
  const file = join(folder, 'weights.safetensors');
  await writeFile(file, weights);
  console.log(`${weights.length} bytes; ${cpus()[0].model}`);
  natives(file);
  // Browsers slow down pages in the background.
  const args = [...launchOptions.args, '--disable-renderer-backgrounding'];
  const browser = await chromium.launch({ ...launchOptions, args });
  try {
    const page = await browser.newPage();
    await page.goto(`${server.url}/demo/bench.html`);
    await page.waitForFunction('globalThis.measure');
    const results = await page.evaluate('measure()');
    for (const { name, ratio, speed } of results) {
      console.log(`${name}: ${(ratio * 100).toFixed(1)} %, ${(speed / 1e6).toFixed(0)} MB/s`);
    }
  } finally {
    await browser.close();
  }
  natives(file);
} finally {
  await rm(folder, { recursive: true });
  await server.close();
}
