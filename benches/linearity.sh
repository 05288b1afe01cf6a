#!/usr/bin/env bash
# Whether speed depends on the size of the file, and what a second thread adds: `zipnn bench` on
# repetitions of a file, with memory used again.
#
# usage: benches/linearity.sh [FILE TYPE [MEGABYTES...]]      1, 10, 100 and 1000 MB unless given
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C

file=${1:-tests/data/minilm-slice.bf16.safetensors}
type=${2:-bf16}
sizes=("${@:3}")
[ ${#sizes[@]} -gt 0 ] || sizes=(1 10 100 1000)

cargo build --release --package zipnn-cli --quiet
zipnn=${CARGO_TARGET_DIR:-target}/release/zipnn
plain=$(mktemp "${CARGO_TARGET_DIR:-target}/linearity.XXXXXX")
trap 'rm -f "$plain"' EXIT

echo "| MB | threads | compress, MB/s | decompress, MB/s |"
echo "|--:|--:|--:|--:|"
for megabytes in "${sizes[@]}"; do
    while cat "$file"; do :; done 2>/dev/null | head -c $((megabytes * 1000000)) >"$plain"
    # As much work for each size, within reason.
    runs=$((1000 / megabytes < 200 ? 1000 / megabytes : 200))
    for threads in 1 2; do
        result=$("$zipnn" bench --dtype "$type" --threads "$threads" \
            --runs $((runs < 3 ? 3 : runs)) --json "$plain")
        field() { sed "s/.*\"$1\":\([0-9]*\).*/\1/" <<<"$result"; }
        echo "| $megabytes | $threads | $(field compress_mb_s) | $(field decompress_mb_s) |"
    done
done
