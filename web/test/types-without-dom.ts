// Uses the package in a project without the browser's types, such as one for Node.

import { ZipnnError, compress, openArchive, type Tensor } from 'zipnn';
import { createPool, decompress, init } from 'zipnn/decode';

export async function use(bytes: Uint8Array): Promise<number> {
  await init();
  const pool = await createPool(2);
  const packed = await compress(bytes, { dtype: 'bf16' });
  const back = await decompress(packed.buffer, { pool, limits: { decodedBytes: 1e9 } });
  const read = async (start: number, end: number) => packed.subarray(start, end);
  const archive = await openArchive({ size: packed.length, read });
  try {
    const { data, shape }: Tensor = await archive.readTensor('a');
    return shape.length + data.byteLength + back.length;
  } catch (error) {
    if (error instanceof ZipnnError && error.code === 'HttpError') return error.status ?? 0;
    throw error;
  } finally {
    archive.free();
    pool[Symbol.dispose]();
  }
}
