#!/usr/bin/env bash
# Runs the tests of the program as a Windows program under Wine.
#
#     tests/windows.sh                   # every test of the program
#     tests/windows.sh files::names      # arguments of `cargo test`
#
# Needs Wine, MinGW and the standard library of the target: apt-get install wine64
# gcc-mingw-w64-x86-64; rustup target add x86_64-pc-windows-gnu
set -euo pipefail
cd "$(dirname "$0")/.."

target=x86_64-pc-windows-gnu
compiler=x86_64-w64-mingw32-gcc

skip() {
    echo "windows: skipped, $*"
    exit 0
}

wine=$(command -v wine64 || ls /usr/lib/wine/wine64 2>/dev/null) || skip "wine64 is not installed"
command -v "$compiler" >/dev/null || skip "$compiler is not installed"
libraries=$(rustc --print target-libdir --target "$target")
[[ -d $libraries ]] || skip "no standard library (rustup target add $target)"

# Rust's standard library takes its random numbers from this library, which older releases of Wine
# lack: https://learn.microsoft.com/windows/win32/seccng/processprng
add_process_prng() { # FOLDER
    local library=$1/bcryptprimitives.dll
    [[ -e $library ]] && return
    cat >"$WINEPREFIX/prng.c" <<'C'
unsigned char __stdcall SystemFunction036(void *bytes, unsigned long len); /* RtlGenRandom */
__declspec(dllexport) int __stdcall ProcessPrng(unsigned char *bytes, unsigned long long len) {
    return SystemFunction036(bytes, (unsigned long)len);
}
C
    "$compiler" -shared -o "$library" "$WINEPREFIX/prng.c" -ladvapi32
}

export WINEPREFIX=$PWD/target/wine WINEDEBUG=-all
mkdir -p "$WINEPREFIX"
"$wine" wineboot --init >/dev/null 2>&1 || skip "Wine cannot start"
add_process_prng "$WINEPREFIX/drive_c/windows/system32"
# Programs that start while Wine still prepares its folder can fail.
"$(dirname "$(readlink -f "$wine")")/wineserver" --wait 2>/dev/null || true

variable=CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<<"$target")_RUNNER
export "$variable=$wine"
cargo test --locked --target "$target" --target-dir target/windows --package zipnn-cli "$@"
