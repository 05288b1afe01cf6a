# To be sourced: tools that are not part of Rust, installed where that can be done.

# Whether `cargo NAME` is there, or can be installed.
has_cargo_tool() {
    if command -v "cargo-$1" >/dev/null || cargo install --locked --quiet "cargo-$1"; then
        return 0
    fi
    echo "skipped: cargo $1 is not installed and could not be (cargo install cargo-$1)"
    return 1
}

# Installs packages of Debian or Ubuntu, or says that it cannot. What needs them looks for itself.
install_packages() {
    if command -v apt-get >/dev/null && [[ $(id -u) == 0 ]]; then
        dpkg --status "$@" >/dev/null 2>&1 && return
        apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null &&
            return
    fi
    echo "could not be installed: $*"
}
