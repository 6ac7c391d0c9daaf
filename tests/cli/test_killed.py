"""A training that is killed at any moment, and gone on with, ends with the same bundle, byte for byte."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

SETTINGS = (
    *("--model", "gsrec", "--set", "embedding_size=8", "--set", "recurrent_size=8", "--set", "num_heads=1"),
    *("--set", "epochs=6", "--set", "batch_size=8", "--set", "averaging=0.9", "--set", "patience=0"),
)


def start(log: Path, out: Path, *, threads: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "gsrec", "train", str(log), *SETTINGS, "--out", str(out), "--quiet", "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    resume = ["--resume"] if out.exists() else []
    return subprocess.Popen(
        [*command, *resume], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def sums(out: Path) -> dict[str, str]:
    """SHA-256 of what a run came to."""
    names = ("weights.safetensors", "popularity.safetensors", "vocabulary.json", "manifest.json")
    return {name: hashlib.sha256((out / "bundle" / name).read_bytes()).hexdigest() for name in names}


def ends_as_if_never_killed(log: Path, folder: Path, *, kills: int, threads: int) -> int:
    """Kill one training again and again until it is done; gives how often it was killed."""
    begin = time.perf_counter()
    assert ends(start(log, folder / "whole", threads=threads), 100)
    took = time.perf_counter() - begin
    generator, killed = np.random.default_rng(kills), 0
    for number in range(kills):
        out = folder / f"killed{number}"
        patience = [float(generator.uniform(0.3, 1.0)) * took for _ in range(2)]
        while not ends(start(log, out, threads=threads), patience.pop() if patience else 100):
            killed += 1
        assert sums(out) == sums(folder / "whole")
    return killed


def ends(process: subprocess.Popen[str], seconds: float) -> bool:
    """Whether it ends well in time; it is killed otherwise."""
    with process:
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            return False
    assert process.returncode == 0, err
    assert json.loads(out)["label"] == "gsrec"
    return True


def test_a_few_kills(small_log: Path, tmp_path: Path) -> None:
    assert ends_as_if_never_killed(small_log, tmp_path, kills=2, threads=1) >= 1


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("threads", [1, 2])
def test_many_kills(small_log: Path, tmp_path: Path, threads: int) -> None:
    assert ends_as_if_never_killed(small_log, tmp_path, kills=100, threads=threads) >= 100
