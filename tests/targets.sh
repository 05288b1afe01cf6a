#!/usr/bin/env bash
# Runs what is in tests/targets, every golden file among it, on other processors: 32 bits, ARM, a
# big-endian one under emulation, WebAssembly with and without vectors under Node, and a Cortex-M4
# without an operating system. Every one has to write the bytes that this machine writes.
#
#     tests/targets.sh                       # all that this machine can build and run
#     tests/targets.sh wasm32 s390x          # only these
#     tests/targets.sh --cargo-test i686     # the crate's own tests there, instead; TESTS='--lib'
#                                            # runs only those of modules, such as kernels
#
# Targets are built with the ordinary toolchain where it has them (`rustup target add`), otherwise
# with Debian's: apt-get install rustc-web rust-web-src lld qemu-user qemu-system-arm nodejs
# gcc-i686-linux-gnu gcc-aarch64-linux-gnu gcc-s390x-linux-gnu
set -euo pipefail
cd "$(dirname "$0")/targets"
. ./toolchain.sh

folder=../../target/targets
self_test=zipnn-self-test

say() {
    echo "$1: ${*:2}"
}

is_there() { # NAME, then a target and the commands that it takes
    local name=$1 target=$2 command
    shift 2
    if ! can_build_for "$target"; then
        say "$name" "skipped, no standard library (rustup target add $target)"
        return 1
    fi
    for command in "$@"; do
        if ! command -v "$command" >/dev/null; then
            say "$name" "skipped, $command is not installed"
            return 1
        fi
    done
}

# A Linux program: by this kernel, or by an emulator.
run_linux() { # NAME, TARGET, the command that runs its programs
    local name=$1 target=$2 runner=$3 variable
    is_there "$name" "$target" "$(linker_of "$target")" "${runner%% *}" || return 0
    if [[ $cargo_test ]]; then
        variable=CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<<"$target")_RUNNER
        (
            cd ../..
            export "$variable=$runner"
            cargo_for test "$target" std,panic_abort,panic_unwind,proc_macro,test target/targets \
                --locked --no-default-features --features std,simd,legacy --package zipnn \
                ${TESTS:---lib --test golden --test lib}
        )
    else
        build_for "$target" std,panic_abort "$folder" --release --locked --quiet
        say "$name" "$($runner "$folder/$target/release/$self_test")"
    fi
}

run_wasm() { # NAME, flags of the compiler
    local name=$1 module=$folder/wasm32-unknown-unknown/release/$self_test.wasm
    is_there "$name" wasm32-unknown-unknown node || return 0
    RUSTFLAGS=$2 build_for wasm32-unknown-unknown std,panic_abort "$folder" --release --locked \
        --quiet
    node run_wasm.mjs "$module"
    say "$name" "passes, $(stat -c %s "$module") bytes with the files"
}

run_firmware() {
    is_there cortex-m4 thumbv7em-none-eabihf qemu-system-arm || return 0
    ../firmware/measure.sh | while read -r line; do say cortex-m4 "$line"; done
    ../../examples/device/run.sh | while read -r line; do say cortex-m4 "example: $line"; done
}

cargo_test=
if [[ ${1:-} == --cargo-test ]]; then
    cargo_test=yes
    shift
fi
names=("$@")
if ((${#names[@]} == 0)); then
    names=(i686 aarch64 s390x wasm32 wasm32-simd128 cortex-m4)
fi

if [[ ! $cargo_test ]]; then
    here=$(cargo run --release --locked --quiet --target-dir "$folder")
    say here "$here"
    # The others fail if they write other bytes.
    export EXPECTED_DIGEST=${here##* }
fi

for name in "${names[@]}"; do
    case $name in
        i686) run_linux "$name" i686-unknown-linux-gnu "qemu-i386 -L /usr/i686-linux-gnu" ;;
        aarch64)
            run_linux "$name" aarch64-unknown-linux-gnu "qemu-aarch64 -L /usr/aarch64-linux-gnu" ;;
        s390x) run_linux "$name" s390x-unknown-linux-gnu "qemu-s390x -L /usr/s390x-linux-gnu" ;;
        wasm32) run_wasm "$name" "" ;;
        wasm32-simd128) run_wasm "$name" "-C target-feature=+simd128" ;;
        cortex-m4) run_firmware ;;
        *)
            echo "no such target: $name" >&2
            exit 2
            ;;
    esac
done
