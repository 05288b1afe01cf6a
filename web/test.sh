#!/usr/bin/env bash
# Builds the npm package and tests it: in Node, in Chromium and in Firefox, with the demo. Installs
# what is missing of the browsers where that can be done with `apt-get`. Pictures of the demo are in
# `artifacts/`.
set -euo pipefail
cd "$(dirname "$0")"

# The first of these programs that there is.
first_of() { command -v "$@" | head -n 1 || true; }
can_install() { command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; }
install() {
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "$1"
}

: "${CHROMIUM:=$(first_of chromium chromium-browser google-chrome)}"
if [ -z "$CHROMIUM" ]; then
    if ! can_install; then
        echo "Chromium is missing: install it, or say where it is with CHROMIUM=" >&2
        exit 1
    fi
    install chromium
    CHROMIUM=$(command -v chromium)
fi
export CHROMIUM

# Without Firefox its tests are skipped, and say so.
: "${FIREFOX:=$(first_of firefox-esr firefox)}"
if [ -z "$FIREFOX" ] && can_install && install firefox-esr; then
    FIREFOX=$(command -v firefox-esr)
fi
export FIREFOX

npm ci
./build.sh
npx tsc
# One file after another: each takes the processor for itself.
node --test --test-concurrency=1 test/*.test.js
