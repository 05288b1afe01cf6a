// Runs every code block of the documentation: JavaScript in Chromium, commands in a shell.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

import { compress } from '../js/index.js';
import { launchOptions } from '../tools/chromium.js';
import { TestServer } from '../tools/server.js';
import { PATIENCE } from './page.js';
import { weights } from './samples.js';

const WEB = fileURLToPath(new URL('..', import.meta.url));
const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** Returns the code blocks of a page of the documentation. */
async function blocksOf(path) {
  const text = await readFile(join(REPOSITORY, path), 'utf8');
  const blocks = [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)];
  return blocks.map(([, language, code]) => ({ path, language, code }));
}

const blocks = (await Promise.all(['web/README.md', 'docs/browser.md'].map(blocksOf))).flat();
const inLanguage = (wanted) => blocks.filter(({ language }) => language === wanted);
// Its other blocks are for other programs than browsers.
const ofGpu = (await blocksOf('docs/GPU.md')).filter(({ language }) => language === 'js');

test('every code block is run by a test', () => {
  // The one without a language is the content security policy, under which `browser.test.js` runs.
  const others = blocks.filter(({ language }) => !['js', 'sh'].includes(language));
  assert.deepEqual(others.map(({ code }) => /^script-src /.test(code)), [true]);
  assert.ok(inLanguage('js').length > 10 && inLanguage('sh').length > 1 && ofGpu.length > 0);
});

/** What transformers.js does with `env.fetch`, without a model. `fetch.test.js` runs the real one. */
const TRANSFORMERS = `
  export const env = { fetch };
  export const AutoModel = {
    from_pretrained: async (name, { dtype }) => {
      const files = ['config.json', 'onnx/model.onnx', 'onnx/model.onnx_data'];
      const read = async (file) => (await (await env.fetch('models/' + name + '/' + file)).arrayBuffer()).byteLength;
      globalThis.loaded = { dtype, lengths: await Promise.all(files.map(read)) };
    },
  };`;
/** What ONNX Runtime Web takes. */
const RUNTIME = `
  export const InferenceSession = {
    create: async (model, { externalData: [{ path, data }] }) => {
      globalThis.created = { lengths: [model.length, data.length], path };
    },
  };`;

describe('JavaScript', () => {
  const model = Buffer.from('a graph');
  let source;
  let browser;
  let server;
  before(async () => {
    source = await weights();
    const file = await compress(source);
    const imports = {
      zipnn: '/js/index.js', 'zipnn/decode': '/js/decode.js', 'zipnn/gpu': '/js/gpu.js',
      'zipnn/extended': '/js/extended.js',
      '@huggingface/transformers': '/transformers.js', 'onnxruntime-web': '/runtime.js',
    };
    server = await new TestServer({
      '/page.html': Buffer.from(`<!doctype html><title>test</title>
        <script type="importmap">${JSON.stringify({ imports })}</script>`),
      '/model.safetensors.znn': file,
      '/max.safetensors.znn': await readFile(join(WEB, 'test/data/max.safetensors.znn')),
      '/model.onnx': model,
      '/model.onnx_data.znn': file,
      '/models/tiny/config.json': Buffer.from('{}'),
      '/models/tiny/onnx/model.onnx': model,
      '/models/tiny/onnx/model.onnx_data.znn': file,
      '/transformers.js': Buffer.from(TRANSFORMERS),
      '/runtime.js': Buffer.from(RUNTIME),
    }).listen();
    browser = await chromium.launch(launchOptions);
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  for (const [number, { path, code }] of [...inLanguage('js'), ...ofGpu].entries()) {
    const [line] = code.split('\n').filter((line) => !/^(import|$)/.test(line));
    test(`${path}, block ${number}: ${line}`, async () => {
      const page = await browser.newPage();
      page.setDefaultTimeout(PATIENCE);
      const errors = [];
      page.on('pageerror', (error) => errors.push(error.message));
      await page.goto(`${server.url}/page.html`);
      const { loaded, created } = await page.evaluate(async (code) => {
        await import(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })));
        return { loaded: globalThis.loaded, created: globalThis.created };
      }, code);
      assert.deepEqual(errors, []);
      if (code.includes('AutoModel')) {
        assert.deepEqual(loaded, { dtype: 'fp32', lengths: [2, model.length, source.length] });
      }
      if (code.includes('InferenceSession')) {
        assert.deepEqual(created, { lengths: [model.length, source.length], path: 'model.onnx_data' });
      }
      await page.close();
    });
  }
});

describe('commands', () => {
  /** Every command of the documentation, and how it is tested. */
  const commands = new Map([
    ['npm install zipnn', async () => {
      // The package is not in a registry: what would be published is installed.
      const folder = await mkdtemp(join(tmpdir(), 'zipnn-'));
      try {
        const run = (...args) => execFileSync(...args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
        const packed = run('npm', ['pack', WEB, '--ignore-scripts', '--json']);
        run('npm', ['install', '--offline', join(folder, JSON.parse(packed)[0].filename)]);
        await writeFile(join(folder, 'test.mjs'), `
          import { compress } from 'zipnn';
          import { decompress } from 'zipnn/decode';
          console.log((await decompress(await compress(new Uint8Array(1000)))).length);`);
        assert.equal(run('node', ['test.mjs']).trim(), '1000');
      } finally {
        await rm(folder, { recursive: true });
      }
    }],
    ['cd web', async () => assert.ok(WEB.endsWith('/web/'))],
    // `test.sh` has run these, and the tests use what they make.
    ['npm ci', async () => assert.match(await readFile(join(WEB, 'test.sh'), 'utf8'), /^npm ci$/m)],
    ['npm run build', async () => {
      const { scripts } = JSON.parse(await readFile(join(WEB, 'package.json'), 'utf8'));
      assert.match(await readFile(join(WEB, 'test.sh'), 'utf8'), new RegExp(`^${scripts.build}$`, 'm'));
    }],
    ['npm run demo', async () => {
      const program = spawn('npm', ['run', 'demo', '--', '--port', '0'], { cwd: WEB, detached: true });
      try {
        let output = '';
        for await (const part of program.stdout) {
          output += part;
          const url = /http\S+/.exec(output)?.[0];
          if (!url) continue;
          const page = await (await fetch(url)).text();
          assert.match(page, /<title>zipnn/);
          const range = await fetch(`${url}samples/minilm-slice.bf16.safetensors.znn`, { headers: { Range: 'bytes=0-9' } });
          assert.equal(range.status, 206);
          return;
        }
        assert.fail(output);
      } finally {
        // npm and the server that it has started.
        process.kill(-program.pid);
      }
    }],
  ]);

  for (const { path, code } of inLanguage('sh')) {
    for (const line of code.trim().split('\n')) {
      test(`${path}: ${line}`, async () => {
        assert.ok(commands.has(line), `nothing tests ${line}`);
        await commands.get(line)();
      });
    }
  }
});
