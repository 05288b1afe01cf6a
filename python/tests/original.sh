#!/usr/bin/env bash
# Runs the original's own tests, examples and scripts, unchanged, on the stand-in of this package.
#
#     python/tests/original.sh FOLDER PYTHON MODEL.safetensors
#
# FOLDER holds the original's repository or source distribution, with the folders tests and scripts.
# PYTHON is an interpreter with zipnn-rs, torch, safetensors and psutil, without the original. The
# checks of the hub's cache need transformers as well. What FOLDER lacks is skipped.
set -euo pipefail
folder=$(realpath "$1") python=$(realpath --no-symlinks "$2") model=$(realpath "$3")

if "$python" -c 'import zipnn_core' 2>/dev/null; then
    echo "the original is installed for $python, and would be used" >&2
    exit 2
fi
PYTHONPATH=$("$python" -m zipnn_rs.compat --path)
export PYTHONPATH PYTHONWARNINGS=ignore TQDM_DISABLE=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Without the package of the original, which its repository holds as well.
mkdir "$work/original"
for each in "$folder"/{tests,scripts,simple_example*.py}; do
    if [[ -e $each ]]; then cp -r "$each" "$work/original"; fi
done
folder=$work/original
cd "$work"

# Runs a Python file of the original, if there is one; its output is shown if it fails.
run() {
    local file=$folder/$1
    shift
    if [[ ! -f $file ]]; then
        echo "skipped: the original has no ${file#"$folder"/}"
        return
    fi
    if "$python" "$file" "$@" >output 2>&1 && ! grep -q "generated an exception" output; then
        echo "passed: ${file#"$folder"/} $*"
    else
        cat output
        echo "failed: ${file#"$folder"/} $*"
        exit 1
    fi
}

has_scripts() {
    [[ -f $folder/scripts/zipnn_compress_path.py ]]
}

# Compares all shards with the model.
compare() {
    local name
    for name in a b; do cmp "$1/$name.safetensors" "$model"; done
}

run tests/test_suit.py
run tests/test_memory_leak.py -n 300
run tests/test_decompress_throughput.py --size-mb 256
run simple_example.py
run simple_example_torch.py
has_scripts || exit 0

echo "== one file"
cp "$model" model.safetensors
for options in "" "--is_streaming --streaming_chunk_size 64KB" "--verification --threads 2"; do
    # shellcheck disable=SC2086 # a list of options
    run scripts/zipnn_compress_file.py model.safetensors --force $options
    rm model.safetensors
    run scripts/zipnn_decompress_file.py model.safetensors.znn --force
    cmp model.safetensors "$model"
done
run scripts/zipnn_compress_safetensors.py model.safetensors --force
mv model.safetensors plain.safetensors
run scripts/zipnn_decompress_safetensors.py model.znn.safetensors --force
"$python" - <<'PYTHON'
import torch
from safetensors.torch import load_file
one, other = load_file("plain.safetensors"), load_file("model.safetensors")
assert set(one) == set(other)
assert all(torch.equal(one[name].view(torch.uint8), other[name].view(torch.uint8)) for name in one)
PYTHON

echo "== a directory"
mkdir directory
for name in a b; do cp "$model" "directory/$name.safetensors"; done
run scripts/zipnn_compress_path.py .safetensors --path directory --file_compression --delete
run scripts/zipnn_decompress_path.py --path directory --delete
compare directory
run scripts/zipnn_compress_path.py .safetensors --path directory --delete
run scripts/zipnn_decompress_path.py --path directory --delete
for name in a b; do [[ -f directory/$name.safetensors ]]; done

echo "== the cache of the hub"
if ! "$python" -c 'import transformers' 2>/dev/null; then
    echo "skipped: transformers is not installed"
    exit
fi
revision=$(printf 'a%.0s' {1..40})
repository=$work/hub/models--org--model
snapshot=$repository/snapshots/$revision
mkdir -p "$repository/blobs" "$repository/refs" "$snapshot"
printf %s "$revision" >"$repository/refs/main"
for name in a b; do
    cp "$model" "$repository/blobs/$name"
    ln -s "../../blobs/$name" "$snapshot/$name.safetensors"
done
export HF_HOME=$work HF_HUB_OFFLINE=1
run scripts/zipnn_compress_path.py .safetensors --file_compression --hf_cache --model org/model
[[ -f $snapshot/a.safetensors.znn && ! -e $snapshot/a.safetensors ]]
run scripts/zipnn_decompress_path.py --hf_cache --model org/model
compare "$snapshot"
echo "== all that the original has passed"
