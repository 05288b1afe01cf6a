// The npm package holds everything that it exports, the built code and the licences.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

test('the package holds the built code and the licences', () => {
  // The tests run after a build, so that packing needs none.
  const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  const files = JSON.parse(output)[0].files.map(({ path }) => path);
  const builds = ['decode', 'full', 'extended', 'gpu'].flatMap((out) =>
    ['zipnn.js', 'zipnn.simd.wasm'].map((name) => `dist/${out}/${name}`));
  builds.push('dist/decode/zipnn.plain.wasm', 'dist/full/zipnn.plain.wasm');
  for (const name of ['LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'js/index.js', ...builds]) {
    assert.ok(files.includes(name), `${name} is missing from ${files.join(', ')}`);
  }
});
