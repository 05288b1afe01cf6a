// Declares the platform's types that the package uses. In projects without a library for them ("dom",
// "webworker", @types/node) they are empty; elsewhere these declarations add nothing.

/// <reference lib="es2020" />
/// <reference lib="esnext.disposable" />

export {};

declare global {
  interface AbortSignal {}
  interface Blob {}
  interface GPUBuffer {}
  interface GPUDevice {}
  interface Headers {}
  interface ReadableStream<R = any> {}
  interface Request {}
  interface RequestInit {}
  interface Response {}
  interface URL {}
  interface WritableStream<W = any> {}
  namespace WebAssembly {
    interface Module {}
  }
}
