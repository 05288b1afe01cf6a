#!/usr/bin/env bash
# Builds the npm package and tests it: in Node, and in Chromium, with the demo. Installs what is
# missing of both where that can be done with `apt-get`. Pictures of the demo are in `artifacts/`.
set -euo pipefail
cd "$(dirname "$0")"

: "${CHROMIUM:=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}"
if [ -z "$CHROMIUM" ]; then
    if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
        echo "Chromium is missing: install it, or say where it is with CHROMIUM=" >&2
        exit 1
    fi
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends chromium
    CHROMIUM=$(command -v chromium)
fi
export CHROMIUM

npm ci
./build.sh
npx tsc
# One file after another: each takes the processor for itself.
node --test --test-concurrency=1 test/*.test.js
