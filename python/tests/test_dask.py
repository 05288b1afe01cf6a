"""Engines that work on many processes: each worker finds the codec by itself."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import zipnn_rs
from conftest import ROOT, weights

distributed = pytest.importorskip("distributed")
array = pytest.importorskip("dask.array")
bag = pytest.importorskip("dask.bag")

RECIPE = ROOT / "python/examples/compress_shards.py"


@pytest.fixture(scope="module")
def client():
    preload = {"distributed.worker.preload": ["zipnn_rs.fsspec"]}
    with (
        distributed.dask.config.set(preload),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_arrays(client, tmp_path):
    zarr = pytest.importorskip("zarr", minversion="3.1")
    data = np.frombuffer(weights(8_000_000, "float32"), "<f4").reshape(2000, 1000)
    written = zarr.create_array(
        tmp_path / "a",
        shape=data.shape,
        dtype=data.dtype,
        chunks=(100, 100),
        shards=(500, 500),
        compressors=[{"name": "zipnn"}],
    )
    lazy = array.from_array(data, chunks=(500, 500))
    lazy.to_zarr(written)
    assert written.nbytes_stored() < data.nbytes * 0.9
    read = array.from_zarr(tmp_path / "a", chunks=(500, 500))
    pids = client.run(os.getpid)
    assert len(set(pids.values()) - {os.getpid()}) == 2
    assert np.array_equal(read.compute(), data)
    assert read.sum(dtype="f8").compute() == pytest.approx(data.sum(dtype="f8"))
    assert np.array_equal(read[950:1040, 37].compute(), data[950:1040, 37])
    assert np.array_equal(read[:, 3:5].T.compute(), data[:, 3:5].T)


def test_text(client, tmp_path):
    import zipnn_rs.fsspec

    lines = [f"line {number}\n" for number in range(1000)]
    paths = [f"{tmp_path}/{part}.txt.znn" for part in range(4)]
    for part, path in enumerate(paths):
        with zipnn_rs.open(path, "wt", encoding="utf-8") as file:
            file.writelines(lines[part::4])
    read = bag.read_text(paths, compression="infer").compute()
    assert sorted(read) == sorted(lines)


@pytest.fixture
def shards(tmp_path):
    """Four shards of a model."""
    folder = tmp_path / "shards"
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.safetensors").write_bytes(weights(3_000_000, seed=number))
    return folder


def recipe(*arguments):
    command = [sys.executable, RECIPE, *arguments, "--workers", "2"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def check(shards, target):
    for source in shards.iterdir():
        file = (target / f"{source.name}.znn").read_bytes()
        assert zipnn_rs.decompress(file) == source.read_bytes()


def test_a_recipe_that_resumes(shards, tmp_path):
    target = tmp_path / "compressed"
    target.mkdir()
    (target / "0.safetensors.znn").write_bytes(b"complete")
    done = recipe(shards, target)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("was complete") == 1
    assert (target / "0.safetensors.znn").read_bytes() == b"complete"
    os.utime(target / "0.safetensors.znn", (0, 0))
    (shards / "1.safetensors").write_bytes(weights(2_000_000, seed=9))
    done = recipe(shards, target)
    assert (done.stdout.count(": compressed"), done.stdout.count("was complete")) == (2, 2)
    check(shards, target)


def test_a_recipe_that_fails_for_one_file(shards, tmp_path):
    (shards / "2.safetensors").unlink()
    (shards / "2.safetensors").mkdir()
    done = recipe(shards, tmp_path / "compressed")
    assert done.returncode == 1
    assert done.stdout.count(": compressed") == 3
    assert "2.safetensors: failed" in done.stdout
    assert recipe(shards, tmp_path / "more", "--pattern", "*.bin").returncode == 1


@pytest.mark.skipif(os.name == "nt", reason="there are no process groups")
def test_a_recipe_that_is_killed(shards, tmp_path):
    for number in range(4):
        big = weights(3_000_000, seed=number) * 20
        (shards / f"{number}.safetensors").write_bytes(big)
    target = tmp_path / "compressed"
    command = [sys.executable, RECIPE, shards, target, "--workers", "1"]
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not (complete := complete_files(target)) and time.monotonic() < end:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert complete
    before = {path: path.stat().st_mtime_ns for path in complete}
    done = recipe(shards, target)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("was complete") >= len(before)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    check(shards, target)


def complete_files(folder: pathlib.Path) -> list[pathlib.Path]:
    return list(folder.glob("*.znn"))
