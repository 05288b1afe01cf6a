// Types that the package takes from its platform. Where a project has no library that declares them,
// such as "dom", "webworker" or @types/node, they are empty here; elsewhere these declarations add
// nothing.

/// <reference lib="es2020" />
/// <reference lib="esnext.disposable" />

export {};

declare global {
  interface AbortSignal {}
  interface Blob {}
  interface Headers {}
  interface ReadableStream<R = any> {}
  interface Response {}
  interface URL {}
  interface WritableStream<W = any> {}
  namespace WebAssembly {
    interface Module {}
  }
}
