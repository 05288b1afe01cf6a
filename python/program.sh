#!/usr/bin/env bash
# Builds the program `zipnn` and puts it where the next wheel takes it from.
#
#     python/program.sh [PROFILE]    # `release` by default
set -euo pipefail
cd "$(dirname "$0")/.."

profile=${1:-release}
folder=$(cargo metadata --format-version 1 --no-deps |
    sed 's/.*"target_directory":"\([^"]*\)".*/\1/; s/\\\\/\//g')
scripts=python/zipnn_rs.data/scripts

cargo build --quiet --locked --package zipnn-cli --profile "$profile"
# Containers that compile for another target name it so.
built=$folder/${CARGO_BUILD_TARGET:+$CARGO_BUILD_TARGET/}$profile
if [[ $profile == dev ]]; then built=${built%dev}debug; fi
rm -rf "$scripts"
mkdir -p "$scripts"
for program in zipnn zipnn.exe; do
    if [[ -f $built/$program ]]; then cp "$built/$program" "$scripts/"; fi
done
if command -v strip >/dev/null; then strip "$scripts"/*; fi
