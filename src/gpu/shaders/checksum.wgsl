// Computes XXH3-64 with seed 0, in arithmetic of 32 bits. A workgroup handles one chunk.
//
// For chunks of more than 240 bytes, the report gets the checksum. XXH3 treats shorter inputs in other
// ways: the report gets their bytes.
//
// XXH3 adds up stripes of 64 bytes in eight accumulators, and scrambles these after every block of 16
// stripes. Threads add up the stripes of 32 blocks side by side; only the scrambling is sequential.

struct Chunk {
    // The first word in `data`.
    at: u32,
    bytes: u32,
    // The first word in `report`.
    report: u32,
}

struct Jobs {
    secret: array<u32, 48>,
    chunks: array<Chunk>,
}

@group(0) @binding(0) var<storage, read> data: array<u32>;
@group(0) @binding(1) var<storage, read> jobs: Jobs;
@group(0) @binding(2) var<storage, read_write> report: array<u32>;

const THREADS: u32 = 256u;
const LANES: u32 = 8u;
const BLOCKS: u32 = 32u;
const BLOCK: u32 = 1024u;
const STRIPE: u32 = 64u;
const STRIPES: u32 = 16u;
const SHORT: u32 = 240u;

const PRIME32_1: u32 = 0x9E3779B1u;
const PRIME32_2: u32 = 0x85EBCA77u;
const PRIME32_3: u32 = 0xC2B2AE3Du;
// Numbers of 64 bits are pairs: the lower half, the higher half.
const PRIME64_1 = vec2<u32>(0x85EBCA87u, 0x9E3779B1u);
const PRIME64_2 = vec2<u32>(0x27D4EB4Fu, 0xC2B2AE3Du);
const PRIME64_3 = vec2<u32>(0x9E3779F9u, 0x165667B1u);
const PRIME64_4 = vec2<u32>(0xC2B2AE63u, 0x85EBCA77u);
const PRIME64_5 = vec2<u32>(0x165667C5u, 0x27D4EB2Fu);
const PRIME_MX1 = vec2<u32>(0x9E3779F9u, 0x16566791u);

var<workgroup> sums: array<vec2<u32>, THREADS>;
var<workgroup> accumulators: array<vec2<u32>, LANES>;

fn add(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2<u32>(low, a.y + b.y + select(0u, 1u, low < a.x));
}

// Returns the product of two words.
fn product(a: u32, b: u32) -> vec2<u32> {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
    return vec2<u32>(a * b, (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u));
}

// Returns the lower 64 bits of a product.
fn times(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = product(a.x, b.x);
    return vec2<u32>(low.x, low.y + a.x * b.y + a.y * b.x);
}

// Returns the exclusive or of both halves of a product of 128 bits.
fn folded(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = product(a.x, b.x);
    let one = product(a.x, b.y);
    let other = product(a.y, b.x);
    let high = product(a.y, b.y);
    let middle = add(add(vec2<u32>(low.y, 0u), vec2<u32>(one.x, 0u)), vec2<u32>(other.x, 0u));
    let carried = add(vec2<u32>(one.y, 0u), add(vec2<u32>(other.y, 0u), vec2<u32>(middle.y, 0u)));
    return vec2<u32>(low.x, middle.x) ^ add(high, carried);
}

fn secret_at(byte: u32) -> vec2<u32> {
    let word = byte >> 2u;
    let shift = (byte & 3u) * 8u;
    let first = jobs.secret[word];
    let second = jobs.secret[word + 1u];
    if (shift == 0u) { return vec2<u32>(first, second); }
    let third = jobs.secret[word + 2u];
    return vec2<u32>(
        (first >> shift) | (second << (32u - shift)),
        (second >> shift) | (third << (32u - shift)),
    );
}

// Returns eight bytes of the data.
fn data_at(byte: u32) -> vec2<u32> {
    let word = byte >> 2u;
    let shift = (byte & 3u) * 8u;
    if (shift == 0u) { return vec2<u32>(data[word], data[word + 1u]); }
    let second = data[word + 1u];
    return vec2<u32>(
        (data[word] >> shift) | (second << (32u - shift)),
        (second >> shift) | (data[word + 2u] << (32u - shift)),
    );
}

// Returns what the stripe at a byte adds to an accumulator.
fn stripe(byte: u32, lane: u32, secret: u32) -> vec2<u32> {
    let key = data_at(byte + 8u * lane) ^ secret_at(secret + 8u * lane);
    return add(data_at(byte + 8u * (lane ^ 1u)), product(key.x, key.y));
}

fn scrambled(sum: vec2<u32>, lane: u32) -> vec2<u32> {
    let mixed = sum ^ vec2<u32>(sum.y >> 15u, 0u);
    return times(mixed ^ secret_at(128u + 8u * lane), vec2<u32>(PRIME32_1, 0u));
}

fn initial(lane: u32) -> vec2<u32> {
    switch lane {
        case 0u: { return vec2<u32>(PRIME32_3, 0u); }
        case 1u: { return PRIME64_1; }
        case 2u: { return PRIME64_2; }
        case 3u: { return PRIME64_3; }
        case 4u: { return PRIME64_4; }
        case 5u: { return vec2<u32>(PRIME32_2, 0u); }
        case 6u: { return PRIME64_5; }
        default: { return vec2<u32>(PRIME32_1, 0u); }
    }
}

fn merged(bytes: u32) -> vec2<u32> {
    var hash = times(vec2<u32>(bytes, 0u), PRIME64_1);
    for (var i = 0u; i < LANES; i += 2u) {
        let a = accumulators[i] ^ secret_at(11u + 8u * i);
        let b = accumulators[i + 1u] ^ secret_at(19u + 8u * i);
        hash = add(hash, folded(a, b));
    }
    hash ^= vec2<u32>(hash.y >> 5u, 0u);
    hash = times(hash, PRIME_MX1);
    return hash ^ vec2<u32>(hash.y, 0u);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let chunk = jobs.chunks[group.x];
    if (chunk.bytes <= SHORT) {
        if (thread < (chunk.bytes + 3u) / 4u) { report[chunk.report + thread] = data[chunk.at + thread]; }
        return;
    }
    let start = 4u * chunk.at;
    let lane = thread % LANES;
    var sum = initial(lane);
    let blocks = (chunk.bytes - 1u) / BLOCK;
    for (var first = 0u; first < blocks; first += BLOCKS) {
        let block = first + thread / LANES;
        var added = vec2<u32>(0u, 0u);
        if (block < blocks) {
            for (var s = 0u; s < STRIPES; s++) {
                added = add(added, stripe(start + block * BLOCK + s * STRIPE, lane, 8u * s));
            }
        }
        sums[thread] = added;
        workgroupBarrier();
        if (thread < LANES) {
            for (var b = 0u; b < min(BLOCKS, blocks - first); b++) {
                sum = scrambled(add(sum, sums[b * LANES + lane]), lane);
            }
        }
        workgroupBarrier();
    }
    if (thread < LANES) {
        let rest = start + blocks * BLOCK;
        let stripes = (chunk.bytes - 1u - blocks * BLOCK) / STRIPE;
        for (var s = 0u; s < stripes; s++) { sum = add(sum, stripe(rest + s * STRIPE, lane, 8u * s)); }
        accumulators[lane] = add(sum, stripe(start + chunk.bytes - STRIPE, lane, 121u));
    }
    workgroupBarrier();
    if (thread == 0u) {
        let hash = merged(chunk.bytes);
        report[chunk.report] = hash.x;
        report[chunk.report + 1u] = hash.y;
    }
}
