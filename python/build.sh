#!/usr/bin/env bash
# Builds the wheel, with the program in it, and names the folder of the wheel last.
#
#     python/build.sh            # optimized, into target/wheels
#     python/build.sh PROFILE    # with another profile, such as dev
set -euo pipefail
cd "$(dirname "$0")/.."

profile=${1:-}
folder=$(cargo metadata --format-version 1 --no-deps |
    sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
wheels=$folder/wheels

python/program.sh "${profile:-release}"
rm -rf "$wheels"
"${MATURIN:-maturin}" build --quiet --manifest-path python/Cargo.toml \
    --profile "${profile:-python}" --out "$wheels"
echo "$wheels"
