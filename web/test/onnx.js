// A model in the ONNX format whose weights are in another file, for tests.

/** Returns an integer as a varint. */
function varint(number) {
  const bytes = [];
  for (let rest = number; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.from([...bytes, rest]);
    bytes.push((rest % 128) | 128);
  }
}

/** Returns a message of Protocol Buffers. Fields are integers, strings, or the bytes of messages. */
function message(...fields) {
  return Buffer.concat(fields.flatMap(([number, value]) => {
    if (typeof value === 'number') return [varint(number << 3), varint(value)];
    const bytes = Buffer.from(value);
    return [varint((number << 3) | 2), varint(bytes.length), bytes];
  }));
}

const FLOAT = 1;
const INT64 = 7;

/** Description of an input or output. */
const value = (name, type, dims) => message(
  [1, name],
  [2, message([1, message(
    [1, type],
    [2, message(...dims.map((dim) => [1, message(typeof dim === 'number' ? [1, dim] : [2, dim])]))],
  )])],
);

/** Returns a model that looks up rows of a matrix of float32, which is in the file `path`. */
export function embeddings(rows, columns, path) {
  const entry = (key, text) => [13, message([1, key], [2, text])];
  const matrix = message(
    [1, rows], [1, columns], [2, FLOAT], [8, 'matrix'],
    entry('location', path), entry('offset', '0'), entry('length', `${rows * columns * 4}`), [14, 1],
  );
  const gather = message([1, 'matrix'], [1, 'input_ids'], [2, 'last_hidden_state'], [4, 'Gather']);
  const graph = message(
    [1, gather], [2, 'embeddings'], [5, matrix],
    [11, value('input_ids', INT64, ['batch', 'length'])],
    [12, value('last_hidden_state', FLOAT, ['batch', 'length', columns])],
  );
  return new Uint8Array(message([1, 8], [7, graph], [8, message([1, ''], [2, 13])]));
}
