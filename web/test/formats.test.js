// Tests the errors for intact files that the package does not read.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import * as everything from '../js/index.js';
import * as decoding from '../js/decode.js';
import { Beginning } from '../js/formats.js';
import { collect, failure, model, parts, weights } from './samples.js';

const { ZipnnDecompressStream, ZipnnError, compress, createPool, openArchive, streamTensors } = everything;

const read = async (path) => new Uint8Array(await readFile(new URL(path, import.meta.url)));
const golden = (path) => read(`../../tests/data/golden/${path}`);
const text = (string) => new TextEncoder().encode(string);
const source = await weights();
const packed = await compress(source);

/** Returns the error of each reader by its name. `streamTensors` also reads plain safetensors files. */
async function failures(bytes, format) {
  const pool = await createPool(1);
  const ways = {
    decompress: () => everything.decompress(bytes),
    'decompress of zipnn/decode': () => decoding.decompress(bytes),
    'decompress with a pool': () => everything.decompress(bytes, { pool }),
    openArchive: async () => {
      const archive = await openArchive(bytes);
      await archive.read(0, archive.decodedLength);
    },
    'openArchive of a Blob': async () => {
      const archive = await openArchive(new Blob([bytes]));
      await archive.read(0, archive.decodedLength);
    },
    streamTensors: () => streamTensors(new Response(bytes)).next(),
  };
  for (const length of [1, 7, 1000, bytes.length + 1]) {
    ways[`parts of ${length}`] = () => collect(parts(bytes, length).pipeThrough(new ZipnnDecompressStream()));
  }
  if (format === 'safetensors') delete ways.streamTensors;
  const errors = {};
  for (const [name, way] of Object.entries(ways)) errors[name] = await failure(way());
  pool.free();
  return errors;
}

/** Asserts that every reader fails with this code and message. */
async function refused(bytes, code, message, format) {
  for (const [name, error] of Object.entries(await failures(bytes, format))) {
    assert.ok(error instanceof ZipnnError, `${name}: ${error.stack}`);
    assert.equal(error.code, code, `${name}: ${error.message}`);
    assert.match(error.message, message, name);
    assert.equal(error.format, format, name);
  }
}

describe('unsupported features', () => {
  test('the extended profile', async () => {
    const paths = ['pivot/bf16.znn', 'max/bfloat16.znn', 'records/Q8_0.znn'];
    for (const path of ['data/extended.znn', ...paths.map((path) => `../../tests/data/${path}`)]) {
      await refused(await read(path), 'ExtendedRequired', /extended profile.*'zipnn\/extended'/);
    }
  });

  test('old layouts', async () => {
    for (const path of ['0.1.1/f32-byte.znn', '0.2.0/bf16-torch.znn', '0.3.3/f32-byte-n4.znn']) {
      await refused(await golden(path), 'UnsupportedVersion', /0\.3\.4 .*zipnn decompress FILE/);
    }
  });

  test('differences', async () => {
    for (const path of ['0.3.4/delta-file.znn', '0.3.4/delta-byte-stream4096.znn']) {
      await refused(await golden(path), 'BaseRequired', /difference.*zipnn decompress --delta/);
    }
  });

  test('a record of a newer version', async () => {
    const frame = await compress(source.subarray(0, 20_000), { dtype: 'bytes' });
    // The first record after the magic number, with an undefined flag.
    const at = Buffer.from(frame).indexOf('ZNX1', 0, 'latin1');
    assert.ok(at > 0);
    frame[at + 5] = 1;
    const error = await failure(everything.decompress(frame));
    assert.equal(error.code, 'UnsupportedAnnex');
    assert.match(error.message, /newer version.*update this package/);
  });

  test('unknown codes mean damage or a newer version', async () => {
    const frame = await compress(source.subarray(0, 1000), { dtype: 'bytes', checksums: false, index: false });
    for (const [at, code] of [[32, 'UnsupportedMethod'], [15, 'UnsupportedDType'], [8, 'UnsupportedForm']]) {
      const changed = frame.slice();
      changed[at] = 77;
      await refused(changed, code, /damaged, or a newer version/);
    }
  });
});

describe('the beginning of a file', () => {
  test('is not copied if it suffices', () => {
    assert.equal(new Beginning().take(packed), packed);
    const beginning = new Beginning();
    const part = packed.slice(0, 5);
    assert.equal(beginning.take(part).length, 0);
    part.fill(0); // Callers may reuse it.
    assert.deepEqual(beginning.take(packed.subarray(5)), packed);
  });
});

describe('other formats', () => {
  test('safetensors, compressed inside or not', async () => {
    await refused(source, 'WrongFormat', /safetensors file that is not compressed/, 'safetensors');
    for (const name of ['0.5.1-model', '0.5.4-model-fp8']) {
      const inside = await golden(`safetensors/${name}.znn.safetensors`);
      await refused(inside, 'WrongFormat', /znn\.safetensors.*zipnn decompress FILE/, 'znn.safetensors');
    }
  });

  test('a safetensors header whose length spells the magic of .znn files', async () => {
    const length = 0x4e5a;
    const file = new Uint8Array(8 + length).fill(0x20);
    file.set([0x5a, 0x4e, 0, 0, 0, 0, 0, 0]);
    file.set(text('{"__metadata__":{"format":"pt"}}'), 8);
    await refused(file, 'WrongFormat', /safetensors/, 'safetensors');
  });

  test('a list of compressed tensors after other metadata', async () => {
    const header = JSON.stringify({ __metadata__: { a: 'x'.repeat(10_000), znn_compressed_vectors: '{}' } });
    const file = new Uint8Array(8 + header.length);
    new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
    file.set(text(header), 8);
    await refused(file, 'WrongFormat', /znn\.safetensors/, 'znn.safetensors');
  });

  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 1234567\n`;
  const bytes = (latin1) => new Uint8Array(Buffer.from(latin1, 'latin1'));
  for (const [format, file, message] of [
    ['gzip', new Uint8Array(gzipSync(packed)), /DecompressionStream/],
    ['zip', bytes(`PK\x03\x04${'\0'.repeat(60)}`), /ZIP/],
    ['gguf', bytes(`GGUF\x03\0\0\0${'\0'.repeat(60)}`), /GGUF/],
    ['git-lfs', text(pointer), /git lfs pull.*\/resolve\//],
    ['html', text('<!doctype html>\n<html><title>Sign in</title></html>'), /web page/],
    ['html', text('\ufeff\n  <HTML lang="en"><p>Not found</p>'), /web page/],
    ['html', text('<html>'), /web page/],
    ['xml', text('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'), /XML/],
    ['json', text('{"error":"Repository not found"}'), /JSON/],
    ['text', text('Entry not found'), /plain text/],
    ['zstd', bytes('\x28\xb5\x2f\xfd\x04\0\x01\0\0'), /Zstandard/],
    ['xz', bytes('\xfd7zXZ\0\0\x04'), /xz/],
    ['pickle', bytes('\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.'), /pickle/],
    ['numpy', bytes('\x93NUMPY\x01\0v\0{'), /NumPy/],
    ['hdf5', bytes('\x89HDF\r\n\x1a\n\0'), /HDF5/],
  ]) {
    test(`${format}, ${file.length} bytes`, () => refused(file, 'WrongFormat', message, format));
  }

  test('unknown formats are BadMagic', async () => {
    await refused(new Uint8Array(100), 'BadMagic', /does not begin with "ZN"/);
    await refused(new Uint8Array(1), 'BadMagic', /does not begin with "ZN"/);
    await refused(new Uint8Array(), 'Truncated', /32 bytes needed, 0 there/);
  });

  test('data appended to a file is damage, not another format', async () => {
    const long = await compress(model(source, 6, 1 << 20), { index: false });
    const file = new Uint8Array(long.length + 100);
    file.set(long);
    file.set(text('<html>'), long.length);
    const error = await failure(everything.decompress(file));
    assert.equal(error.code, 'BadMagic');
    assert.match(error.message, /^frame [1-9]\d*: .*damaged, or has something appended/);
  });
});
