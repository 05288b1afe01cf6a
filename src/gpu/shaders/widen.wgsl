// Widens elements of 16 bits to 32 bits, without changing their values.

struct Job {
    elements: u32,
    is_bfloat16: u32,
    // The first word in `input` and in `output`.
    at: u32,
    to: u32,
}

@group(0) @binding(0) var<storage, read> input: array<u32>;
@group(0) @binding(1) var<storage, read> job: Job;
@group(0) @binding(2) var<storage, read_write> output: array<u32>;

const THREADS: u32 = 256u;

fn from_float16(half: u32) -> u32 {
    let sign = (half & 0x8000u) << 16u;
    let exponent = (half >> 10u) & 31u;
    let mantissa = half & 0x3ffu;
    if (exponent == 31u) { return sign | 0x7f800000u | (mantissa << 13u); }
    if (exponent > 0u) { return sign | ((exponent + 112u) << 23u) | (mantissa << 13u); }
    if (mantissa == 0u) { return sign; }
    // A subnormal number becomes a normal one.
    let shift = countLeadingZeros(mantissa) - 21u;
    return sign | ((113u - shift) << 23u) | (((mantissa << shift) & 0x3ffu) << 13u);
}

fn widened(half: u32) -> u32 {
    if (job.is_bfloat16 != 0u) { return half << 16u; }
    return from_float16(half);
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let step = groups.x * THREADS;
    for (var i = group.x * THREADS + thread; i < job.elements; i += step) {
        let half = (input[job.at + (i >> 1u)] >> ((i & 1u) * 16u)) & 0xffffu;
        output[job.to + i] = widened(half);
    }
}
