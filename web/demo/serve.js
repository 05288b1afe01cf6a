// Serves the demo with real weights: `npm run demo`. It answers requests for ranges.

import { readFile, readdir } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';

import { compress } from '../js/index.js';
import { TestServer } from '../tools/server.js';

/**
 * The demo's files: weights from the tests' data, as they are and compressed. What is measured are
 * those at `path`, or the same.
 */
export async function demoFiles(path) {
  const folder = new URL('../../tests/data/', import.meta.url);
  const names = (await readdir(folder)).filter((name) => name.endsWith('.safetensors'));
  const files = {};
  const samples = [];
  const add = (name, bytes) => {
    files[`/demo/samples/${name}`] = bytes;
    samples.push({ name, size: bytes.length });
  };
  for (const name of names) {
    const weights = await readFile(new URL(name, folder));
    add(name, weights);
    add(`${name}.znn`, await compress(weights));
  }
  const measured = path ? await readFile(path) : files[`/demo/samples/${names[0]}`];
  files['/demo/bench.znn'] = await compress(measured);
  files['/demo/bench.gz'] = gzipSync(measured);
  const bench = { znn: 'bench.znn', gzip: 'bench.gz', length: measured.length };
  files['/demo/bench.json'] = Buffer.from(JSON.stringify(bench));
  files['/demo/samples.json'] = Buffer.from(JSON.stringify(samples));
  return files;
}

if (import.meta.filename === process.argv[1]) {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '8080' } } });
  const server = await new TestServer(await demoFiles()).listen(Number(values.port));
  console.log(`The demo is at ${server.url}/demo/`);
}
