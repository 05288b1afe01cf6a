// Turns decoded differences into data: the exclusive or with the base. A row of workgroups handles one
// chunk.

struct Chunk {
    // The first word in `output`.
    to: u32,
    // The first byte in `base`.
    at: u32,
    bytes: u32,
}

@group(0) @binding(0) var<storage, read> base: array<u32>;
@group(0) @binding(1) var<storage, read> chunks: array<Chunk>;
@group(0) @binding(2) var<storage, read_write> output: array<u32>;

const THREADS: u32 = 256u;

// Returns the word that begins at a byte. Bytes after the end are the last word's.
fn word_at(at: u32) -> u32 {
    let word = at >> 2u;
    let shift = (at & 3u) * 8u;
    if (shift == 0u) { return base[word]; }
    let after = base[min(word + 1u, arrayLength(&base) - 1u)];
    return (base[word] >> shift) | (after << (32u - shift));
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let chunk = chunks[group.y];
    let words = (chunk.bytes + 3u) / 4u;
    for (var word = group.x * THREADS + thread; word < words; word += groups.x * THREADS) {
        output[chunk.to + word] ^= word_at(chunk.at + 4u * word);
    }
}
