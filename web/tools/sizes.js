// Prints download sizes and fails if they exceed limits.

import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';

const KIB = 1024;
/** Most bytes of each build, compressed with gzip. */
const LIMITS = { decode: 64 * KIB, full: 128 * KIB, extended: 144 * KIB, gpu: 112 * KIB };

/** Returns whether a build is also made for engines without vectors. */
const hasPlain = (build) => build === 'decode' || build === 'full';

for (const [build, limit] of Object.entries(LIMITS)) {
  for (const variant of hasPlain(build) ? ['simd', 'plain'] : ['simd']) {
    const bytes = await readFile(new URL(`../dist/${build}/zipnn.${variant}.wasm`, import.meta.url));
    const size = gzipSync(bytes, { level: 9 }).length;
    console.log(`${build}, ${variant}: ${(size / KIB).toFixed(1)} KiB gzipped, of ${limit / KIB} at most`);
    if (size > limit) process.exitCode = 1;
  }
}
