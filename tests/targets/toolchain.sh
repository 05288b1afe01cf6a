# To be sourced: builds for other targets with the toolchain that is there.
#
# The ordinary one where it has the target (`rustup target add TARGET`); otherwise Debian's, which
# builds the standard library from source (packages rustc-web, cargo-web, rust-web-src, lld).

debian_rustc=/usr/bin/rustc
debian_source=/usr/lib/rustlib/src/rust/library

has_target() { # TARGET: whether the ordinary toolchain has its standard library
    [[ -d "$(rustc --print sysroot)/lib/rustlib/$1/lib" ]]
}

can_build_for() { # TARGET
    has_target "$1" || [[ -x $debian_rustc && -d $debian_source ]]
}

# Linkers by target, where the default is no help.
linker_of() { # TARGET
    case $1 in
        i686-unknown-linux-gnu) echo i686-linux-gnu-gcc ;;
        aarch64-unknown-linux-gnu) echo aarch64-linux-gnu-gcc ;;
        s390x-unknown-linux-gnu) echo s390x-linux-gnu-gcc ;;
        wasm32-unknown-unknown) has_target "$1" || echo wasm-ld ;;
        thumbv7em-none-eabihf) has_target "$1" || echo ld.lld ;;
    esac
}

build_for() { # TARGET, crates of the standard library, target folder, arguments of `cargo build`
    cargo_for build "$@"
}

cargo_for() { # command of cargo, and as `build_for`
    local command=$1 target=$2 std=$3 folder=$4 linker variable
    shift 4
    linker=$(linker_of "$target")
    variable=CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<<"$target")_LINKER
    (
        if [[ -n $linker && $(command -v "$linker") ]]; then export "$variable=$linker"; fi
        if has_target "$target"; then
            cargo "$command" --target "$target" --target-dir "$folder" "$@"
        else
            RUSTC=$debian_rustc RUSTC_BOOTSTRAP=1 \
                cargo "$command" -Z "build-std=$std" --target "$target" --target-dir "$folder" "$@"
        fi
    )
}
