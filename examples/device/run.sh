#!/usr/bin/env bash
# Runs the example on an emulated Cortex-M4 and prints its memory budget.
#
#     examples/device/run.sh            # with the stack that build.rs reserves
#     examples/device/run.sh --least    # finds the least stack that is enough, too
set -euo pipefail
cd "$(dirname "$0")"
root=../.. name=zipnn-device
. ../../tests/firmware/emulator.sh

build ""
run
echo "code and constants: $(($(section .text) + $(section .rodata))) bytes," \
    "static memory: $(section .bss) bytes"
if [[ ${1:-} == --least ]]; then
    echo "least stack: $(least_stack "") bytes"
fi
