// Uses every type of the package; `tsc` says whether they fit one another and the browser's.

import { ZipnnError, compress, createPool, openArchive, streamTensors, toFloat32, ZipnnCompressStream, ZipnnDecompressStream, type Tensor } from 'zipnn';
import { decompress, init } from 'zipnn/decode';
import { decodeToGpuBuffer, requestDevice } from 'zipnn/gpu';

export async function use(url: string): Promise<Float32Array> {
  await init();
  using pool = await createPool();
  const response = await fetch(url);
  const stream = response.body!.pipeThrough(new ZipnnDecompressStream({ pool, onProgress: ({ read }) => console.log(read) }));
  const bytes: Uint8Array = new Uint8Array(await new Response(stream).arrayBuffer());
  const packed = await compress(bytes, { dtype: 'bf16' });
  await decompress(packed.buffer, { into: bytes, limits: { decodedBytes: 1e9 } });
  new Response(new Blob([packed]).stream().pipeThrough(new ZipnnCompressStream()));
  using archive = await openArchive(url, { signal: AbortSignal.timeout(1000), pool, fetch, headers: { A: 'b' } });
  (await openArchive(new URL(url), { headers: new Headers() })).free();
  (await openArchive(new Blob([packed]), { headers: [['A', 'b']] })).free();
  try {
    const { data, dtype }: Tensor = await archive.readTensor('a');
    return toFloat32({ data, dtype });
  } catch (error) {
    if (error instanceof ZipnnError && error.code === 'NoSuchTensor') console.log(error.place.frame, error.cause);
  }
  const decoded = await decodeToGpuBuffer(await requestDevice(), response, { name: 'a', as: 'f32' });
  if (decoded.decodedOn === 'processor') console.log(decoded.data.length);
  else console.log(decoded.buffer, decoded.byteLength);
  for await (const tensor of streamTensors(response)) return toFloat32(tensor);
  throw new Error('no tensors');
}
