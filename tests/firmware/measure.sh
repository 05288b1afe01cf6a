#!/usr/bin/env bash
# Measures code, memory and stack of decoding on a Cortex-M4, with either table, without a standard
# library or an allocator. Needs the target thumbv7em-none-eabihf (or Debian's
# rustc-web, rust-web-src and lld) and qemu-system-arm.
#
#     tests/firmware/measure.sh           # runs with the stack that SECURITY.md promises
#     tests/firmware/measure.sh --least   # finds the least that is enough, too
set -euo pipefail
cd "$(dirname "$0")"
. ../targets/toolchain.sh

target=thumbv7em-none-eabihf
folder=../../target/firmware
program=$folder/$target/release/zipnn-firmware

build() { # FEATURES, and perhaps STACK in the environment
    build_for "$target" core "$folder" --release --locked --quiet --features "$1"
}

run() {
    timeout 5 qemu-system-arm -M mps2-an386 -display none -monitor none -serial none \
        -semihosting-config enable=on,target=native -kernel "$program"
}

section() { # NAME: its size in bytes
    readelf -SW "$program" | sed -E 's/\[ *[0-9]+\]//' |
        awk -v name="$1" '$1 == name { print $5 }' | { read -r size; echo $((16#$size)); }
}

# Finds the least stack, a multiple of 8 bytes, with which the program succeeds.
least_stack() { # FEATURES
    local low=0 high=4096 middle
    while ((high - low > 1)); do
        middle=$(((low + high) / 2))
        STACK=$((middle * 8)) build "$1"
        if run 2>/dev/null; then high=$middle; else low=$middle; fi
    done
    echo $((high * 8))
}

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
