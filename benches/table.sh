#!/usr/bin/env bash
# Prints what `cargo bench` has measured last, as tables in Markdown: medians.
#
# usage: benches/table.sh [chunk|sums|copy|frames|tensors|files]...      all unless some are named
set -euo pipefail
cd "$(dirname "$0")/.."

results="${CARGO_TARGET_DIR:-target}/criterion"
dtypes=(bf16 f32 f16 f8e4m3)

# Nanoseconds that GROUP CASE took.
nanoseconds() {
    sed 's/.*"median":[^}]*},"point_estimate":\([0-9.e+]*\),.*/\1/' \
        "$results/$1/$2/new/estimates.json" 2>/dev/null && echo
}

# Bytes that GROUP CASE handles.
bytes() {
    sed 's/.*"Bytes":\([0-9]*\).*/\1/' "$results/$1/$2/new/benchmark.json"
}

microseconds() {
    local time
    time=$(nanoseconds "$1" "$2") && awk -v t="$time" 'BEGIN { printf "%.1f", t / 1e3 }' || printf "–"
}

speed() {
    local time
    time=$(nanoseconds "$1" "$2") &&
        awk -v t="$time" -v b="$(bytes "$1" "$2")" 'BEGIN { printf "%.0f", b * 1e3 / t }' || printf "–"
}

# A row: a name, then UNIT (microseconds or speed) of each GROUP/CASE.
row() {
    local unit=$1 cell
    printf "| %s |" "$2"
    shift 2
    for cell in "$@"; do
        printf " %s |" "$("$unit" "${cell%/*}" "${cell#*/}")"
    done
    echo
}

heading() {
    printf "\n| %s |" "$1"
    printf " %s |" "${@:2}"
    printf "\n|---|"
    printf -- "--:|%.0s" "${@:2}"
    echo
}

chunk() {
    heading "step, µs" "${dtypes[@]}"
    for step in split sample_noise sample_exponents range pack count_pairs count plan encode_pairs \
        encode build_table decode merge; do
        row microseconds "$step" "${dtypes[@]/#/$step/}"
    done
}

# The steps that compressing or decompressing a chunk of TYPE consists of, one a line.
steps() {
    case "$1 $2" in
        "compress f8e4m3") printf '%s\n' split range sample_exponents count plan encode ;;
        "compress f16") printf '%s\n' split sample_noise range sample_exponents count plan encode ;;
        "compress "*)
            printf '%s\n' split sample_noise range pack count_pairs plan encode_pairs
            [ "$2" != f32 ] || printf '%s\n' sample_noise sample_noise
            ;;
        "decompress f8e4m3") echo decode ;;
        "decompress "*) printf '%s\n' decode merge ;;
    esac
}

# What the steps of a chunk add up to, and the part of a frame's time that a chunk takes.
sums() {
    heading "µs of a chunk" "${dtypes[@]}"
    local direction dtype step chunks
    for direction in compress decompress; do
        printf "| %s: sum of its steps |" "$direction"
        for dtype in "${dtypes[@]}"; do
            for step in $(steps "$direction" "$dtype"); do
                nanoseconds "$step" "$dtype"
            done | awk '{ sum += $1 } END { printf " %.0f |", sum / 1e3 }'
        done
        printf "\n| %s: in a frame of 4 MiB |" "$direction"
        for dtype in "${dtypes[@]}"; do
            chunks=16
            [ "$dtype" != f8e4m3 ] || chunks=32
            nanoseconds "frame_$direction" "$dtype" |
                awk -v chunks="$chunks" '{ printf " %.0f |", $1 / 1e3 / chunks }'
        done
        echo
    done
}

copy() {
    heading "copy, MB/s" "256 KiB" "4 MiB" "256 MiB" "256 MiB, fresh"
    row speed "" copy/256KiB copy/4MiB copy/256MiB copy/256MiB_fresh
}

frames() {
    heading "4 MiB, MB/s" compress decompress
    for dtype in "${dtypes[@]}" f8e5m2; do
        row speed "$dtype" "frame_compress/$dtype" "frame_decompress/$dtype"
    done
}

tensors() {
    for direction in compress decompress; do
        heading "$direction, MB/s" "${dtypes[@]}" f8e5m2
        for size in 1 4 16 64 256 1024 4096 16384 65536; do
            local cells=("${dtypes[@]}" f8e5m2)
            cells=("${cells[@]/#/tensor_$direction/}")
            row speed "$size KiB" "${cells[@]/%/_${size}KiB}"
        done
    done
}

files() {
    heading "MB/s" "\`Encoder\`" "\`Decoder\`" "\`par_compress\`" "\`par_decompress\`"
    for dtype in "${dtypes[@]}" f8e5m2; do
        row speed "$dtype" "encoder/$dtype" "decoder/$dtype" "par_compress/$dtype" \
            "par_decompress/$dtype"
    done
}

[ $# -gt 0 ] || set -- chunk sums copy frames tensors files
for table in "$@"; do
    case $table in
        chunk | sums | copy | frames | tensors | files) "$table" ;;
        *) sed -n '2,4s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    esac
done
