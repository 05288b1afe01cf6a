#!/usr/bin/env bash
# Runs fuzz targets for a number of seconds each, one on each core, and reports executions and
# coverage. Needs a nightly toolchain and `cargo install cargo-fuzz`.
#
#     fuzz/run.sh 5                # every target for 5 seconds, as CI does
#     fuzz/run.sh 1800             # for half an hour each
#     fuzz/run.sh 3600 file annex  # only these
#
# There is no address sanitizer: the code is safe Rust, and runs twice as fast without. Inputs that
# fail are in fuzz/artifacts, and `cargo fuzz tmin TARGET FILE` shortens them. Add them as tests.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:?how many seconds for each target}
shift
targets=("$@")
if ((${#targets[@]} == 0)); then
    mapfile -t targets < <(sed -n 's/^name = "\(.*\)"/\1/p' Cargo.toml | grep -v zipnn-fuzz)
fi

# Mutations of whole files start with golden files.
for target in file legacy; do
    mkdir -p "corpus/$target"
    find ../tests/data/golden -name '*.znn' -size -16k | while read -r file; do
        cp -n "$file" "corpus/$target/$(tr / - <<<"${file#../tests/data/golden/}")"
    done
done
mkdir -p corpus/safetensors corpus/inside corpus/containers
cp -n ../tests/data/containers/*.{pt,npz,npy,onnx} corpus/containers
find ../tests/data/golden -name '*.safetensors' -size -16k -exec cp -n {} corpus/safetensors ';'
find ../tests/data/golden -name '*.znn.safetensors' -size -40k -exec cp -n {} corpus/inside ';'

cargo +nightly fuzz build --sanitizer none 2>/dev/null ||
    cargo +nightly fuzz build --sanitizer none

# Runs a target and prints its line. Returns an error if an input fails.
run_target() { # TARGET
    local target=$1 log=artifacts/$1.log times=artifacts/$1.times status=0 executions coverage corpus took
    mkdir -p "corpus/$target" "artifacts/$target"
    { time "target/x86_64-unknown-linux-gnu/release/$target" "corpus/$target" \
        "-artifact_prefix=artifacts/$target/" "-max_total_time=$seconds" -max_len=40000 \
        -rss_limit_mb=1024 -timeout=20 -print_final_stats=1 2>"$log" || status=$?; } 2>"$times"
    executions=$(sed -n 's/^stat::number_of_executed_units: //p' "$log")
    read -r coverage corpus < <(sed -n 's|.* cov: \([0-9]*\) .* corp: \([0-9]*\)/.*|\1 \2|p' "$log" | tail -n 1) || true
    # The last line: bash may report a signal above it.
    took=$(awk 'END { printf "%.0f", $1 + $2 }' "$times")
    printf '%-16s %12s %10s %10s %8s\n' \
        "$target" "${executions:-?}" "${took:-?}" "${coverage:-?}" "${corpus:-?}"
    if ((status)); then
        { echo "$target failed:"; tail -n 30 "$log"; } >&2
    fi
    return "$status"
}

printf '%-16s %12s %10s %10s %8s\n' target executions 'cpu secs' coverage corpus
failed=
TIMEFORMAT='%U %S' # user and system time of the target
cores=$(nproc 2>/dev/null || echo 1)
running=0
for target in "${targets[@]}"; do
    if ((running++ >= cores)); then wait -n || failed=yes; fi
    run_target "$target" &
done
for target in "${targets[@]:0:cores}"; do wait -n || failed=yes; done
if [[ $failed ]]; then exit 1; fi
