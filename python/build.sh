#!/usr/bin/env bash
# Builds the wheel, with the program in it, and names the folder of the wheel last.
#
#     python/build.sh          # optimized, into target/wheels
#     python/build.sh dev      # quickly, for tests
set -euo pipefail
cd "$(dirname "$0")/.."

profile=${1:-}
folder=$(cargo metadata --format-version 1 --no-deps |
    sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
wheels=$folder/wheels
scripts=python/zipnn_rs.data/scripts

cargo build --quiet --locked --package zipnn-cli --profile "${profile:-release}"
rm -rf "$wheels" "$scripts"
mkdir -p "$scripts"
for program in zipnn zipnn.exe; do
    built=$folder/${profile:-release}/$program
    if [[ $profile == dev ]]; then built=$folder/debug/$program; fi
    if [[ -f $built ]]; then cp "$built" "$scripts/"; fi
done
if command -v strip >/dev/null; then strip "$scripts"/*; fi
"${MATURIN:-maturin}" build --quiet --manifest-path python/Cargo.toml \
    --profile "${profile:-python}" --out "$wheels"
echo "$wheels"
