#!/usr/bin/env bash
# Tests the Python package: builds the wheel, and installs it into clean environments with the oldest
# and the newest Python that are installed. The oldest has numpy alone, the newest also what the
# optional modules need, except torch and transformers.
#
#     python/test.sh           # all but models
#     python/test.sh models    # only models: installs torch and transformers, several gigabytes
#
# With `CI` set, it installs maturin from the package index; without it, maturin has to be installed.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/tools.sh

# Prints the interpreters from Python 3.11 on, the oldest first, one of each version.
interpreters() {
    local python version
    for python in python3 python3.{11..19} "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3; do
        version=$("$python" -c 'import sys, venv; assert sys.version_info >= (3, 11)
print("%d.%02d" % sys.version_info[:2])' 2>/dev/null) || continue
        echo "$version $(command -v "$python")"
    done | sort --unique --key=1,1 | cut -d' ' -f2
}

mapfile -t pythons < <(interpreters)
if ((!${#pythons[@]})); then
    echo "skipped: Python 3.11 or newer is not installed"
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1
if ! MATURIN=$(command -v maturin); then
    if [[ ! ${CI:-} ]] || ! "${pythons[0]}" -m venv "$work/tools" ||
        ! "$work/tools/bin/pip" install --quiet "maturin>=1.9,<2"; then
        echo "skipped: maturin is not installed (pip install maturin)"
        exit 0
    fi
    MATURIN=$work/tools/bin/maturin
fi
export MATURIN

wheels=$(env "${quick_release[@]}" python/build.sh release | tail -n 1)

# Installs the wheel with other packages into a new environment, and runs tests there.
test_with() {
    local python=$1 packages=$2
    shift 2
    "$python" --version
    "$python" -m venv --clear "$work/environment"
    # shellcheck disable=SC2086 # a list of packages
    if ! "$work/environment/bin/pip" install --quiet $packages "$wheels"/*.whl; then
        echo "skipped: pip cannot install $packages for $("$python" --version)"
    else
        "$work/environment/bin/python" -m pytest -q -rs -p no:cacheprovider "$@"
    fi
}

oldest=${pythons[0]} newest=${pythons[-1]}
if [[ ${1:-} == models ]]; then
    test_with "$newest" "numpy pytest safetensors>=0.8 torch>=2.3 transformers>=5" \
        python/tests/test_{torch,hf,inside,documents}.py
    exit
fi
test_with "$oldest" "numpy pytest" python/tests
test_with "$newest" "numpy pytest hypothesis ml_dtypes zarr>=3.1 dask[array,distributed] fsspec" \
    python/tests
# The same codec in Rust, with the packages of the last environment.
examples/zarrs/test.sh "$work/environment/bin/python"
echo "skipped: tests that need torch and transformers (python/test.sh models)"
