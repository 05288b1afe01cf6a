// Decodes Huffman-coded planes, each with one workgroup.
//
// A plane has four streams, and LANES threads share each of them. A stream does not say where its
// codes begin, so a thread begins at a guessed bit and decodes up to its part first. Huffman codes
// synchronise: after a few codes, the thread finds the same codes as if it had begun at the end of
// the stream. The threads then compare: if a thread did not begin exactly where the thread before it
// ended, it decodes again from there. The result is thus exact.
//
// Streams are read backwards. Positions are bits of the input, and unread bits lie below them.

struct Plane {
    // For each stream, its lowest bit and the bit after its highest.
    bounds: array<vec2<u32>, 4>,
    symbols: u32,
    // The codes in the order of their cells.
    codes_at: u32,
    code_count: u32,
    // Bits of the longest code, at most 12.
    longest: u32,
    // The first word of the result.
    to: u32,
    // The word of the report for the state of the plane.
    report: u32,
    // PAIRS: the first byte of the raw plane, and whether the elements are rotated.
    raw_at: u32,
    is_rotated: u32,
}

@group(0) @binding(0) var<storage, read> input: array<u32>;
@group(0) @binding(1) var<storage, read> planes: array<Plane>;
// The first of 2^longest cells << 16 | length in bits << 8 | symbol.
@group(0) @binding(2) var<storage, read> codes: array<u32>;
@group(0) @binding(3) var<storage, read_write> output: array<u32>;
@group(0) @binding(4) var<storage, read_write> report: array<u32>;

// Threads for each stream.
override LANES: u32 = 16u;
// Whether the plane is the higher one of elements of two bytes, and is merged with the lower one.
override PAIRS: bool = false;

const STREAMS: u32 = 4u;
const THREADS: u32 = 64u;
// Bits that a thread decodes before its part.
const RUN_IN: u32 = 512u;
// The longest code for which there is a table of several symbols.
const TABLE_BITS: u32 = 11u;
const MAX_BITS: u32 = 12u;
// States in the report.
const GOOD: u32 = 1u;
const CORRUPT: u32 = 2u;

// By the next bits: up to three symbols | their bits << 24 | their number << 28.
var<workgroup> several: array<u32, 2048>;
// By the next bits, two entries in a word: symbol | bits << 8. For codes of 12 bits, `several` holds
// them.
var<workgroup> single: array<u32, 1024>;
var<workgroup> ends: array<u32, THREADS>;
var<workgroup> counts: array<u32, THREADS>;
var<workgroup> changed: atomic<u32>;
var<workgroup> goes_on: u32;
var<workgroup> is_corrupt: atomic<u32>;
var<workgroup> repeats: atomic<u32>;

// The reader. The next bits are the highest of `high`; `low` follows. There are at least 32.
var<private> high: u32;
var<private> low: u32;
var<private> available: u32;
// The next word of the input to read.
var<private> next: u32;
var<private> position: u32;
// 32 - longest.
var<private> shift: u32;
var<private> is_wide: bool;

// Begins to read below a position. The input has at least four words before the first stream.
fn open(at: u32) {
    position = at;
    let word = (at - 1u) >> 5u;
    let bits = ((at - 1u) & 31u) + 1u;
    high = input[word];
    low = input[word - 1u];
    if (bits < 32u) {
        high = (high << (32u - bits)) | (low >> bits);
        low = low << (32u - bits);
    }
    available = bits + 32u;
    next = word - 2u;
}

// Consumes 1 to 12 bits.
fn skip(bits: u32) {
    position -= bits;
    high = (high << bits) | (low >> (32u - bits));
    low = low << bits;
    available -= bits;
    if (available < 32u) {
        let word = input[next];
        // In a damaged plane, a stream may be read past its end, but never past the first word.
        next = max(next, 1u) - 1u;
        high |= word >> available;
        low = word << (32u - available);
        available += 32u;
    }
}

// Returns symbol | bits << 8 of the next code.
fn one_code() -> u32 {
    let cell = high >> shift;
    var pair: u32;
    if (is_wide) { pair = several[cell >> 1u]; } else { pair = single[cell >> 1u]; }
    return (pair >> ((cell & 1u) * 16u)) & 0xffffu;
}

// Returns one code as an entry of `several`.
fn one_as_several() -> u32 {
    let code = one_code();
    return (code & 0xffu) | ((code >> 8u) << 24u) | (1u << 28u);
}

// Returns the next codes.
fn several_codes() -> u32 {
    if (is_wide) { return one_as_several(); }
    return several[high >> shift];
}

// Decodes up to the first code that begins at or below `limit`, and returns the number of codes.
fn count_to(limit: u32) -> u32 {
    var count = 0u;
    while (position >= limit + MAX_BITS) {
        let entry = several_codes();
        skip((entry >> 24u) & 15u);
        count += entry >> 28u;
    }
    while (position > limit) {
        skip(one_code() >> 8u);
        count += 1u;
    }
    return count;
}

// Returns symbol | bits << 8 of the code that covers a cell: the last that begins at or before it.
fn code_of(plane: Plane, cell: u32) -> u32 {
    var first = 0u;
    var last = plane.code_count;
    while (last - first > 1u) {
        let middle = (first + last) / 2u;
        if ((codes[plane.codes_at + middle] >> 16u) <= cell) { first = middle; } else { last = middle; }
    }
    return codes[plane.codes_at + first] & 0xffffu;
}

// Fills the tables.
fn fill_single(plane: Plane, thread: u32) {
    for (var pair = thread; pair < (1u << plane.longest) / 2u; pair += THREADS) {
        let entry = code_of(plane, 2u * pair) | (code_of(plane, 2u * pair + 1u) << 16u);
        if (is_wide) { several[pair] = entry; } else { single[pair] = entry; }
    }
}

fn fill_several(longest: u32, thread: u32) {
    let cells = 1u << longest;
    for (var cell = thread; cell < cells; cell += THREADS) {
        var rest = cell;
        var entry = 0u;
        var bits = 0u;
        var count = 0u;
        while (count < 3u && bits < longest) {
            let code = (single[rest >> 1u] >> ((rest & 1u) * 16u)) & 0xffffu;
            let length = code >> 8u;
            if (bits + length > longest) { break; }
            entry |= (code & 0xffu) << (8u * count);
            bits += length;
            count += 1u;
            rest = (rest << length) & (cells - 1u);
        }
        several[cell] = entry | (bits << 24u) | (count << 28u);
    }
}

// Returns two elements of two bytes. The lowest 16 bits of `lower` are their lower bytes.
fn two_elements(lower: u32, higher: u32, is_rotated: u32) -> u32 {
    let first = higher & 0xffu;
    let second = (higher >> 8u) & 0xffu;
    if (is_rotated != 0u) {
        let one = (lower & 0x7fu) | ((lower & 0x80u) << 8u) | (first << 7u);
        let two = ((lower >> 8u) & 0x7fu) | (lower & 0x8000u) | (second << 7u);
        return one | (two << 16u);
    }
    return (lower & 0xffu) | (first << 8u) | ((lower & 0xff00u) << 8u) | (second << 24u);
}

// Decodes symbols `first` to `first + count` of a stream, and writes the words whose first symbol is
// one of them. For the last word, it decodes some symbols after them.
fn write(plane: Plane, stream: u32, start: u32, first: u32, count: u32, symbols: u32) {
    let quarter = (plane.symbols + 3u) / 4u;
    let until = min((first + count + 3u) / 4u * 4u, symbols);
    var left = until - min(first, until);
    var word = first / 4u;
    // Symbols in `text`, of the word to write.
    var fill = first & 3u;
    var text = 0u;
    // The thread before writes the word if it contains symbols of both.
    var is_own = fill == 0u;
    var to = plane.to;
    var raw_word = 0u;
    var raw_shift = 0u;
    var raw = 0u;
    if (PAIRS) {
        to += stream * (quarter / 2u);
        let raw_at = plane.raw_at + stream * quarter;
        raw_word = raw_at >> 2u;
        raw_shift = (raw_at & 3u) * 8u;
        raw = input[raw_word + word + select(1u, 0u, is_own)];
    } else {
        to += stream * ((quarter + 3u) / 4u);
    }
    open(start);
    while (left > 0u) {
        var entry: u32;
        if (left >= 3u) { entry = several_codes(); } else { entry = one_as_several(); }
        let number = entry >> 28u;
        let bytes = entry & 0xffffffu;
        skip((entry >> 24u) & 15u);
        left -= number;
        text |= bytes << (8u * fill);
        let filled = fill + number;
        if (filled < 4u) {
            fill = filled;
            continue;
        }
        if (is_own) {
            if (PAIRS) {
                let after = input[raw_word + word + 1u];
                var lower = raw;
                if (raw_shift > 0u) { lower = (raw >> raw_shift) | (after << (32u - raw_shift)); }
                raw = after;
                let at = to + 2u * word;
                output[at] = two_elements(lower, text, plane.is_rotated);
                output[at + 1u] = two_elements(lower >> 16u, text >> 16u, plane.is_rotated);
            } else {
                output[to + word] = text;
            }
        }
        is_own = true;
        word += 1u;
        text = select(0u, bytes >> (8u * (4u - fill)), fill > 0u);
        fill = filled & 3u;
    }
    // A stream that does not fill its last word. Streams of pairs do.
    if (fill > 0u && is_own && !PAIRS) { output[to + word] = text; }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let plane = planes[group.x];
    shift = 32u - plane.longest;
    is_wide = plane.longest > TABLE_BITS;
    fill_single(plane, thread);
    workgroupBarrier();
    if (plane.longest <= TABLE_BITS) {
        fill_several(plane.longest, thread);
    }
    workgroupBarrier();

    let stream = min(thread / LANES, STREAMS - 1u);
    let lane = thread % LANES;
    let works = thread < STREAMS * LANES;
    let bounds = plane.bounds[stream];
    let bottom = bounds.x;
    let top = bounds.y;
    let quarter = (plane.symbols + 3u) / 4u;
    var symbols = quarter;
    if (stream == STREAMS - 1u) { symbols = plane.symbols - 3u * quarter; }

    var start = top;
    var first = 0u;
    var count = symbols;
    if (LANES > 1u) {
        let step = (top - bottom + LANES - 1u) / LANES;
        let upper = top - min(lane * step, top - bottom);
        let lower = top - min((lane + 1u) * step, top - bottom);
        if (works) {
            open(min(upper + RUN_IN, top));
            if (lane > 0u) { count_to(upper); } else { open(top); }
            start = position;
            counts[thread] = count_to(lower);
            ends[thread] = position;
        }
        // Each turn, at least one more thread of a stream begins where it must.
        for (var turn = 0u; turn < LANES; turn++) {
            workgroupBarrier();
            if (thread == 0u) { atomicStore(&changed, 0u); }
            var expected = start;
            if (works && lane > 0u) { expected = ends[thread - 1u]; }
            workgroupBarrier();
            if (expected != start) {
                start = expected;
                counts[thread] = 0u;
                if (start > lower) {
                    open(start);
                    counts[thread] = count_to(lower);
                    ends[thread] = position;
                } else {
                    ends[thread] = start;
                }
                atomicStore(&changed, 1u);
                atomicAdd(&repeats, 1u);
            }
            workgroupBarrier();
            if (thread == 0u) { goes_on = atomicLoad(&changed); }
            if (workgroupUniformLoad(&goes_on) == 0u) { break; }
        }
        count = counts[thread];
        if (works) {
            for (var before = thread - lane; before < thread; before++) { first += counts[before]; }
        }
    }
    if (works) {
        write(plane, stream, start, first, count, symbols);
        // A stream ends exactly with its last symbol.
        if (lane == LANES - 1u && (first + count != symbols || position != bottom)) {
            atomicStore(&is_corrupt, 1u);
        }
    }
    workgroupBarrier();
    if (thread == 0u) {
        let state = select(GOOD, CORRUPT, atomicLoad(&is_corrupt) != 0u);
        report[plane.report] = state | (atomicLoad(&repeats) << 16u);
    }
}
