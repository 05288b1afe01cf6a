#!/usr/bin/env bash
# A directory with a model, a model that was tuned from it, two consecutive training steps, and a copy
# of the model under another name: what it takes when it is compressed in different ways.
#
# usage: benches/sets.sh BASE TUNED STEP NEXT_STEP
#
# Needs zstd. Prints the total length and the seconds of each way, and checks the round trip of
# `zipnn compress --dedup`, also after a run that was killed half-way.
set -euo pipefail
export LC_ALL=C
[ $# = 4 ] || { sed -n '5p' "$0" >&2; exit 2; }
base=$(realpath "$1") tuned=$(realpath "$2") step=$(realpath "$3") next=$(realpath "$4")
cd "$(dirname "$0")/.."

zipnn=${ZIPNN:-}
if [ -z "$zipnn" ]; then
    cargo build --release --package zipnn-cli --quiet
    zipnn=${CARGO_TARGET_DIR:-target}/release/zipnn
fi
zipnn=$(realpath "$zipnn")
work=$(mktemp -d "${CARGO_TARGET_DIR:-target}/sets.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir plain
cp "$base" plain/base.safetensors
cp "$base" plain/copy.safetensors
cp "$tuned" plain/tuned.safetensors
cp "$step" plain/step-100.safetensors
cp "$next" plain/step-101.safetensors
total=$(cat plain/* | wc -c)

# Runs a command that writes to the directory `out`, and prints a row of the table.
row() {
    local name=$1 start seconds len
    shift
    rm -rf out && mkdir out
    start=$EPOCHREALTIME
    "$@"
    seconds=$(awk "BEGIN { print $EPOCHREALTIME - $start }")
    len=$(cat out/* | wc -c)
    awk -v name="$name" -v len="$len" -v total="$total" -v seconds="$seconds" 'BEGIN {
        printf "| %s | %d | %.1f %% | %.1f |\n", name, len, len / total * 100, seconds }'
}

compress() { "$zipnn" compress --quiet --threads 1 "$@" -o out plain; }

# Stores each file whole or as a patch from one of two others, whichever is shorter.
patches() {
    local name from level=(-q -19 --long=31)
    for name in base copy tuned step-100 step-101; do
        zstd "${level[@]}" plain/$name.safetensors -o out/$name.zst
        for from in base step-100; do
            # The base is whole, and the first training step can only be a patch from the base.
            case $name-$from in base-* | step-100-step-100) continue ;; esac
            zstd "${level[@]}" --patch-from=plain/$from.safetensors plain/$name.safetensors -o patch
            if [ "$(wc -c <patch)" -lt "$(wc -c <out/$name.zst)" ]; then
                mv patch out/$name.zst
            fi
            rm -f patch
        done
    done
}

tarball() { tar -cf - -C plain . | zstd -q -19 --long=31 -o out/all.tar.zst; }

echo "| $(zstd --version | grep -o 'v[0-9.]*'), $total bytes | bytes | of the original | seconds |"
echo "|---|--:|--:|--:|"
row "\`zstd -19 --long=31\` of one tar" tarball
row "\`zstd -19 --long=31 --patch-from\`" patches
row "\`zipnn compress\`" compress
row "\`zipnn compress --extended\`" compress --extended
row "\`zipnn compress --dedup\`" compress --dedup

# The round trip, from a run that was killed half-way and completed.
cp -rp plain set
done_files() { find set -name '*.znn' | wc -l; }
"$zipnn" compress --quiet --threads 1 --dedup --rm set &
while [ "$(done_files)" -lt 2 ] && kill -0 $! 2>/dev/null; do sleep 0.002; done
kill -9 $! 2>/dev/null || true
wait 2>/dev/null || true
echo "killed with $(done_files) of 5 files done"
"$zipnn" compress --quiet --dedup --rm set
echo "completed with $(cat set/* | wc -c) bytes"
"$zipnn" decompress --quiet --rm set
diff -r plain set && echo "the round trip is identical"
