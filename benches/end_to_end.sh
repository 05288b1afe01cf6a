#!/usr/bin/env bash
# The program on files of some size, beside what it cannot do without: reading, coding, writing.
#
# usage: benches/end_to_end.sh [FILE TYPE [MEGABYTES...]]
#
# Repeats FILE up to each size (100 and 1000 MB), on the file system of the repository, and runs
# everything five times, and once before, with the file in the page cache. Prints medians.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C

file=${1:-tests/data/minilm-slice.bf16.safetensors}
type=${2:-bf16}
sizes=("${@:3}")
[ ${#sizes[@]} -gt 0 ] || sizes=(100 1000)

cargo build --release --package zipnn-cli --quiet
zipnn=${CARGO_TARGET_DIR:-target}/release/zipnn
work=$(mktemp -d "${CARGO_TARGET_DIR:-target}/end_to_end.XXXXXX")
trap 'rm -rf "$work"' EXIT
plain=$work/plain
packed=$work/packed
out=$work/out

# Runs a command; puts its seconds into $seconds and the most KiB that it held into $peak.
run() {
    local start=$EPOCHREALTIME
    if [ -x /usr/bin/time ]; then
        /usr/bin/time -f %M -o "$work/peak" "$@"
        seconds=$(awk "BEGIN { print $EPOCHREALTIME - $start }")
        peak=$(tail -n 1 "$work/peak")
    else
        "$@" &
        local process=$! line
        peak=0
        while line=$(grep VmHWM "/proc/$process/status" 2>/dev/null); do
            peak=$(awk '{ print $2 }' <<<"$line")
            sleep 0.01
        done
        wait "$process"
        seconds=$(awk "BEGIN { print $EPOCHREALTIME - $start }")
    fi
}

# Runs a command once, then five times, and prints the row of the median. Leaves the median in $seconds, and
# in $out what the last run has written. No run replaces a file: that is slower on some systems.
row() {
    local name=$1 number times=() most=0
    shift
    for number in 0 1 2 3 4 5; do
        rm -f "$out"
        run "$@"
        [ "$number" = 0 ] || times+=("$seconds")
        [ "$peak" -le "$most" ] || most=$peak
    done
    seconds=$(printf '%s\n' "${times[@]}" | sort -g | sed -n 3p)
    awk -v name="$name" -v s="$seconds" -v bytes="$bytes" -v peak="$most" 'BEGIN {
        printf "| %s | %.3f | %.0f | %.1f |\n", name, s, bytes / 1e6 / s, peak / 1024 }'
}

# Reads a figure of `zipnn bench`, in MB/s, and prints the seconds that it means.
coding() {
    sed "s/.*\"$1\":\([0-9.]*\).*/\1/" "$work/bench" |
        awk -v bytes="$bytes" '{ print bytes / 1e6 / $1 }'
}

# Compares the time of a command with the times of its parts: reading, coding and writing. One core
# reads or writes, and all cores code.
beside() {
    awk -v name="$1" -v t="$2" -v r="$3" -v c="$4" -v w="$5" -v cores="$(nproc)" 'BEGIN {
        slowest = r > c ? r : c
        if (w > slowest) slowest = w
        printf "\n%s: %.2f of its slowest part, %.2f of what its parts take on %d cores\n",
            name, t / slowest, t / ((r + w) / cores + c), cores }'
}

# Everything for a file of so many megabytes.
measure() {
    local megabytes=$1
    bytes=$((megabytes * 1000000))
    while cat "$file"; do :; done 2>/dev/null | head -c "$bytes" >"$plain"
    # As the program works: in frames of 4 MiB, with checksums, into memory that is used again.
    "$zipnn" bench --dtype "$type" --threads "$(nproc)" --piece 4M --checksums --runs 3 --json \
        "$plain" >"$work/bench"
    local encode decode read read_packed compress decompress write write_packed
    encode=$(coding compress_mb_s)
    decode=$(coding decompress_mb_s)

    echo
    echo "| $megabytes MB, $(nproc) threads | seconds | MB/s | peak MiB |"
    echo "|---|--:|--:|--:|"
    row "compress" "$zipnn" compress --quiet --dtype "$type" "$plain" -o "$out"
    mv "$out" "$packed"
    compress=$seconds
    row "decompress" "$zipnn" decompress --quiet "$packed" -o "$out"
    decompress=$seconds
    cmp "$plain" "$out"
    row "verify" "$zipnn" verify --quiet "$packed"
    row "read the file: \`dd\`" dd if="$plain" of=/dev/null bs=1M status=none
    read=$seconds
    row "read the compressed file" dd if="$packed" of=/dev/null bs=1M status=none
    read_packed=$seconds
    row "write as much as the file: \`dd\` from \`/dev/zero\`" \
        dd if=/dev/zero of="$out" bs=1M count="$bytes" iflag=count_bytes status=none
    write=$seconds
    row "write as much as the compressed file" dd if=/dev/zero of="$out" bs=1M \
        count="$(wc -c <"$packed")" iflag=count_bytes status=none
    write_packed=$seconds
    awk -v e="$encode" -v d="$decode" -v b="$bytes" 'BEGIN {
        printf "| coding alone, with checksums, in memory | %.3f | %.0f | |\n", e, b / 1e6 / e
        printf "| decoding alone, with checksums, in memory | %.3f | %.0f | |\n", d, b / 1e6 / d }'
    beside compress "$compress" "$read" "$encode" "$write_packed"
    beside decompress "$decompress" "$read_packed" "$decode" "$write"
    rm -f "$plain" "$packed" "$out"
}

for megabytes in "${sizes[@]}"; do
    measure "$megabytes"
done
