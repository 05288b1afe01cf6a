#!/usr/bin/env bash
# Measures code, memory and stack of decoding on a Cortex-M4, with either table.
#
#     tests/firmware/measure.sh           # runs with the stack that SECURITY.md promises
#     tests/firmware/measure.sh --least   # finds the least that is enough, too
set -euo pipefail
cd "$(dirname "$0")"
root=../.. name=zipnn-firmware
. ./emulator.sh

for features in "" fast; do
    build "$features"
    if ! run; then
        echo "the firmware fails (features: ${features:-none})" >&2
        exit 1
    fi
    echo "table for ${features:-small memories}: code $(section .text) bytes," \
        "memory $(section .bss) bytes"
    if [[ ${1:-} == --least ]]; then
        echo "least stack: $(least_stack "$features") bytes"
    fi
done
