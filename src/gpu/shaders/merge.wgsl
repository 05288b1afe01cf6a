// Merges the planes of chunks, and undoes the rotation. A row of workgroups merges one chunk.

struct Source {
    // 0: bytes of the input; 1: one byte; 2: a decoded plane.
    kind: u32,
    // The first byte in `input`; the byte; the first word in `decoded`.
    at: u32,
    // For a decoded plane, the symbols and the words of a stream.
    symbols: u32,
    words: u32,
}

struct Chunk {
    // The first word in `output`.
    to: u32,
    bytes: u32,
    planes: u32,
    is_rotated: u32,
    sources: array<Source, 4>,
}

@group(0) @binding(0) var<storage, read> input: array<u32>;
@group(0) @binding(1) var<storage, read> chunks: array<Chunk>;
@group(0) @binding(2) var<storage, read> decoded: array<u32>;
@group(0) @binding(3) var<storage, read_write> output: array<u32>;

const THREADS: u32 = 256u;

fn byte_of(source: Source, index: u32) -> u32 {
    switch source.kind {
        case 0u: {
            let at = source.at + index;
            return (input[at >> 2u] >> ((at & 3u) * 8u)) & 0xffu;
        }
        case 1u: {
            return source.at;
        }
        default: {
            let stream = index / source.symbols;
            let at = index - stream * source.symbols;
            let word = decoded[source.at + stream * source.words + (at >> 2u)];
            return (word >> ((at & 3u) * 8u)) & 0xffu;
        }
    }
}

fn unrotated(word: u32, planes: u32) -> u32 {
    if (planes == 2u) {
        return ((word << 8u) & 0x80008000u) | ((word >> 1u) & 0x7f807f80u) | (word & 0x007f007fu);
    }
    return ((word << 8u) & 0x80000000u) | ((word >> 1u) & 0x7f800000u) | (word & 0x007fffffu);
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let number = group.y;
    let to = chunks[number].to;
    let bytes = chunks[number].bytes;
    let planes = chunks[number].planes;
    let is_rotated = chunks[number].is_rotated != 0u;
    let words = (bytes + 3u) / 4u;
    for (var word = group.x * THREADS + thread; word < words; word += groups.x * THREADS) {
        let first = 4u * word;
        let end = min(first + 4u, bytes);
        var value = 0u;
        for (var index = first; index < end; index++) {
            let byte = byte_of(chunks[number].sources[index % planes], index / planes);
            value |= byte << (8u * (index - first));
        }
        // Only whole words are rotated.
        if (is_rotated && first + 4u <= bytes) { value = unrotated(value, planes); }
        output[to + word] = value;
    }
}
