#!/usr/bin/env bash
# Builds the npm package: `dist/`, from this folder's crate: for decompressing alone and for everything,
# with vectors and without; for the extended profile and for a GPU, with vectors only.
#
# Takes the ordinary target (`rustup target add wasm32-unknown-unknown`) where it is installed, and
# otherwise Debian's compiler: `apt install rustc-web cargo-web rust-web-src lld`.
set -euo pipefail
cd "$(dirname "$0")/.."

target=wasm32-unknown-unknown
if rustup target list --installed 2>/dev/null | grep -qx "$target"; then
    compile() { RUSTFLAGS="$1" cargo build "${@:2}"; }
elif [ -e "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library" ] \
        && command -v wasm-ld >/dev/null; then
    compile() {
        # The library for the target is built from its sources, which is only allowed so.
        RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS="-C linker=wasm-ld $1" \
            /usr/bin/cargo build -Z build-std=std,panic_abort "${@:2}"
    }
else
    echo "The target is missing: rustup target add $target" >&2
    echo "or, on Debian: apt install rustc-web cargo-web rust-web-src lld" >&2
    exit 1
fi

cargo build --locked --target-dir target/wasm -p zipnn-web-bindgen
dist=web/dist
rm -rf "$dist"

# Writes a build of these features: its bindings, and the `.wasm` under this name.
build() {
    local out=$1 name=$2 flags=$3 features=$4
    local built=target/wasm/bindings
    compile "$flags" --locked --profile web --target "$target" --target-dir target/wasm \
        -p zipnn-web --features "$features"
    target/wasm/debug/zipnn-web-bindgen "target/wasm/$target/web/zipnn_web.wasm" "$built" zipnn
    mkdir -p "$dist/$out"
    cp "$built/zipnn.js" "$dist/$out/zipnn.$name.js"
    cp "$built/zipnn_bg.wasm" "$dist/$out/zipnn.$name.wasm"
}

for out in decode full extended gpu; do
    features=simd
    if [ "$out" != decode ]; then features+=,$out; fi
    build "$out" simd "-C target-feature=+simd128" "$features"
    mv "$dist/$out/zipnn.simd.js" "$dist/$out/zipnn.js"
done
for out in decode full; do
    features=simd
    if [ "$out" != decode ]; then features+=,$out; fi
    build "$out" plain "" "$features"
    # Both are called in the same way, so that one file does for both.
    cmp "$dist/$out/zipnn.js" "$dist/$out/zipnn.plain.js"
    rm "$dist/$out/zipnn.plain.js"
done

# npm does not pack links.
cp LICENSE-MIT LICENSE-APACHE web/

node web/tools/sizes.js
