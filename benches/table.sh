#!/usr/bin/env bash
# Prints what `cargo bench` has measured last, as a table: medians in microseconds, and speeds.
#
# usage: benches/table.sh [PATTERN]      only the cases whose name (step/case) matches, as grep -E
set -euo pipefail
cd "$(dirname "$0")/.."

echo "| case | bytes | µs | MB/s |"
echo "|---|--:|--:|--:|"
find "${CARGO_TARGET_DIR:-target}/criterion" -path '*/new/estimates.json' | sort -V | while read -r estimates; do
    about="${estimates%/*}/benchmark.json"
    case=$(sed 's/.*"full_id":"\([^"]*\)".*/\1/' "$about")
    bytes=$(sed 's/.*"Bytes":\([0-9]*\).*/\1/' "$about")
    nanoseconds=$(sed 's/.*"median":.*"point_estimate":\([0-9.e+]*\),.*"median_abs_dev".*/\1/' "$estimates")
    echo "$case $bytes $nanoseconds"
done | grep -E "^[^ ]*(${1:-.})" | awk '{ printf "| %s | %d | %.2f | %.0f |\n", $1, $2, $3 / 1e3, $2 * 1e3 / $3 }'
