# To be sourced in the folder of a package: builds its program for a Cortex-M4, runs it on an emulated
# one and measures code, memory and stack, without a standard library or an allocator. Needs the
# target thumbv7em-none-eabihf (or Debian's rustc-web, rust-web-src and lld) and qemu-system-arm. The
# variables `root`, the root of the repository, and `name`, the name of the program, have to be set.
. "$root/tests/targets/toolchain.sh"

target=thumbv7em-none-eabihf
folder=$root/target/firmware
program=$folder/$target/release/$name

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
        if run >/dev/null 2>&1; then high=$middle; else low=$middle; fi
    done
    echo $((high * 8))
}
