// Copies bytes between any positions. A row of workgroups copies one section. The sections are in order,
// and do not overlap.

struct Section {
    // The first byte in `input` and in `output`.
    at: u32,
    to: u32,
    bytes: u32,
}

@group(0) @binding(0) var<storage, read> input: array<u32>;
@group(0) @binding(1) var<storage, read> sections: array<Section>;
@group(0) @binding(2) var<storage, read_write> output: array<u32>;

const THREADS: u32 = 256u;

// Returns the word of the output with the bytes of the sections from `first` on.
fn with_sections(word: u32, first: u32) -> u32 {
    var value = output[word];
    var number = first;
    for (var byte = 0u; byte < 4u; byte++) {
        let to = 4u * word + byte;
        // Every section has at least one byte.
        if (number < arrayLength(&sections) && to >= sections[number].to + sections[number].bytes) {
            number += 1u;
        }
        if (number < arrayLength(&sections) && to >= sections[number].to) {
            let at = sections[number].at + to - sections[number].to;
            let shift = 8u * byte;
            let moved = (input[at >> 2u] >> ((at & 3u) * 8u)) & 0xffu;
            value = (value & ~(0xffu << shift)) | (moved << shift);
        }
    }
    return value;
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let section = sections[group.y];
    var first = section.to / 4u;
    // The section in which a word begins writes all of it.
    if (group.y > 0u && (section.to & 3u) > 0u) {
        let before = sections[group.y - 1u];
        if (before.to + before.bytes == section.to) { first += 1u; }
    }
    let end = (section.to + section.bytes + 3u) / 4u;
    for (var word = first + group.x * THREADS + thread; word < end; word += groups.x * THREADS) {
        output[word] = with_sections(word, group.y);
    }
}
