// Uses every type of the package; `tsc` says whether they fit one another and the browser's.

import {
  ZipnnError, compress, createFetch, createPool, openArchive, streamTensors, toFloat32, ZipnnCompressStream,
  ZipnnDecompressStream, type Tensor, type TensorInfo,
} from 'zipnn';
import { decompress, init } from 'zipnn/decode';
import { streamTensors as streamExtended } from 'zipnn/extended';
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
    const tensor: Tensor = await archive.readTensor('a');
    if (tensor.dtype === 'F16') return toFloat32({ data: tensor.data, dtype: tensor.dtype });
  } catch (error) {
    if (error instanceof ZipnnError && error.code === 'NoSuchTensor') console.log(error.place.frame, error.cause);
  }
  const decoded = await decodeToGpuBuffer(await requestDevice(), response, { name: 'a', as: 'f32' });
  if (decoded.decodedOn === 'processor') console.log(decoded.data.length);
  else console.log(decoded.buffer, decoded.byteLength);
  const fetching: typeof fetch = createFetch({ fetch, pool, matches: ({ pathname }) => pathname.endsWith('.bin') });
  await (await fetching(new Request(url), { headers: { Range: 'bytes=0-0' } })).arrayBuffer();
  for await (const { dtype } of streamExtended(response, { pool })) console.log(dtype satisfies Tensor['dtype']);
  for await (const tensor of streamTensors(response)) if (tensor.dtype === 'BF16') return toFloat32(tensor);
  throw new Error('no tensors');
}

/** The type of a tensor determines its array. */
export function elements(tensor: Tensor): number | bigint {
  switch (tensor.dtype) {
    case 'F32': {
      const data: Float32Array<ArrayBuffer> = tensor.data;
      // @ts-expect-error
      const wrong: Uint16Array = tensor.data;
      return data[0] + wrong[0];
    }
    case 'BF16': {
      const data: Uint16Array<ArrayBuffer> = tensor.data;
      // @ts-expect-error
      const wrong: Float32Array = tensor.data;
      return data[0] + wrong[0];
    }
    case 'I64': {
      const data: BigInt64Array<ArrayBuffer> = tensor.data;
      // @ts-expect-error
      toFloat32(tensor);
      // @ts-expect-error
      const wrong: number = data[0];
      return data[0] + BigInt(wrong);
    }
    case 'BOOL': {
      const data: Uint8Array<ArrayBuffer> = tensor.data;
      return data[0];
    }
    // @ts-expect-error
    case 'bf16':
      return 0;
    default:
      // @ts-expect-error
      toFloat32(tensor);
      return tensor.data.byteLength;
  }
}

export function mistakes(tensor: Tensor, info: TensorInfo<'F16'>, f16: Tensor<'F16'>): void {
  // @ts-expect-error
  const floats: Float32Array = tensor.data;
  // @ts-expect-error
  info.data;
  // @ts-expect-error
  const other: Tensor<'F32'> = f16;
  // @ts-expect-error
  const mixed: Tensor = { ...info, dtype: 'F32', data: new Uint16Array() };
  // @ts-expect-error
  createFetch({ matches: () => 'yes' });
  console.log(floats, other, mixed);
}
