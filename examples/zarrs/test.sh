#!/usr/bin/env bash
# Tests the codec for `zarrs`, and exchanges arrays with Python: `test.sh [PYTHON]`, an interpreter
# for which zarr and zipnn-rs are installed.
set -euo pipefail
cd "$(dirname "$0")"

needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
installed=$(cargo --version | cut -d' ' -f2)
if [[ $(printf '%s\n' "$needed" "$installed" | sort --version-sort | head -n 1) != "$needed" ]]; then
    echo "skipped: Rust $needed is not installed, only $installed"
    exit 0
fi

export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_INCREMENTAL=false CARGO_PROFILE_DEV_OPT_LEVEL=0
cargo test --locked --quiet
if [[ ! ${1:-} ]] || ! "$1" -c 'import zarr, zipnn_rs' 2>/dev/null; then
    echo "skipped: no Python with zarr and zipnn-rs (test.sh PYTHON)"
    exit 0
fi
cargo build --locked --quiet
"$1" exchange.py target/debug/copy
