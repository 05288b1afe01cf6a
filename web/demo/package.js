// The package, and its build for the extended profile, which is loaded for the first file that needs it.

import * as everything from '../js/index.js';

/** Workers of each build, if the browser allows them. */
const pools = new Map();

/** Returns the workers of a build. */
export function workersOf(build) {
  if (!pools.has(build)) pools.set(build, build.createPool().catch(() => undefined));
  return pools.get(build);
}

/** Calls `run` with the package, and once more with the build for the extended profile if it is needed. */
export async function withBuild(run) {
  try {
    return await run(everything);
  } catch (error) {
    if (error?.code !== 'ExtendedRequired') throw error;
    return run(await import('../js/extended.js'));
  }
}

/** Returns whether a build reads the extended profile. */
export const isExtended = (build) => build !== everything;
