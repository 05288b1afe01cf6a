# To be sourced: installs tools that are not part of Rust. Only CI installs anything; on a
# contributor's machine a missing tool is named, and what needs it is skipped.

# The program and the Python package for tests: optimized and linked quickly. Python needs panics
# that unwind; overflows and failed assertions are faults that tests should find.
quick_release=(CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=0
    CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS=true
    CARGO_PROFILE_RELEASE_PANIC=unwind)

# Returns whether `cargo NAME` is installed. Building it without optimization takes half the time.
has_cargo_tool() {
    if command -v "cargo-$1" >/dev/null; then return; fi
    if [[ ${CI:-} ]] && cargo install --locked --quiet --debug "cargo-$1"; then return; fi
    echo "skipped: cargo $1 is not installed (cargo install cargo-$1)"
    return 1
}

# Installs packages of Debian or Ubuntu. What needs them checks for itself whether they are there.
install_packages() {
    local as_root=()
    command -v dpkg >/dev/null && dpkg --status "$@" >/dev/null 2>&1 && return
    if [[ ${CI:-} ]] && command -v apt-get >/dev/null; then
        [[ $(id -u) == 0 ]] || as_root=(sudo)
        "${as_root[@]}" apt-get update -qq &&
            "${as_root[@]}" apt-get install -y -qq --no-install-recommends "$@" >/dev/null && return
    fi
    echo "not installed, so that some checks may be skipped: $*"
}

# Adds the standard library of a target to the toolchain.
add_target() {
    [[ -d $(rustc --print target-libdir --target "$1") ]] && return
    if [[ ${CI:-} ]] && command -v rustup >/dev/null && rustup --quiet target add "$1"; then return; fi
    echo "not installed, so that some checks may be skipped: rustup target add $1"
}
