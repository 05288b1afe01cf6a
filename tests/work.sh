#!/usr/bin/env bash
# Counts the instructions of decoding for each byte of input and output, for the files that take the
# most work. Needs valgrind. Fails if a count exceeds the bound in SECURITY.md.
set -euo pipefail
cd "$(dirname "$0")/.."

most=1000
program=$(cargo test --release --locked --no-default-features --features std,simd --package zipnn --test lib --no-run \
    2>&1 |
    sed -n 's/.*Executable.*(\(.*\))/\1/p')

count() { # KIND, TIMES: instructions, and bytes
    local output
    output=$(KIND=$1 TIMES=$2 valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" \
        --ignored --exact work::decodes_repeatedly --nocapture --test-threads=1 2>&1)
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p; s/^bytes \([0-9]*\)/\1/p' <<<"$output"
}

for kind in weights tables trees repeats index raw damaged; do
    { read -r bytes && read -r once; } < <(count "$kind" 1)
    { read -r _ && read -r thrice; } < <(count "$kind" 3)
    per_byte=$(awk "BEGIN { printf \"%.1f\", ($thrice - $once) / 2 / $bytes }")
    echo "$kind: $per_byte instructions a byte ($bytes bytes)"
    awk "BEGIN { exit !($per_byte <= $most) }" || { echo "more than $most" >&2; exit 1; }
done
