"""A training that is killed at any moment, and gone on with, ends with the same bundle, byte for byte."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Tally = Callable[[str, int], None]

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
    """Kill trainings at random moments, up to three times each, until there were so many kills; gives how many."""
    assert ends(start(log, folder / "whole", threads=threads), 100)
    generator, killed, number, took = np.random.default_rng(kills), 0, 0, 4.0
    while killed < kills:
        out, number = folder / f"killed{number}", number + 1
        patience = [float(generator.uniform(0.3, 1.0)) * took for _ in range(3)]
        begin = time.perf_counter()
        while not ends(start(log, out, threads=threads), patience.pop() if patience else 100):
            killed, begin = killed + 1, time.perf_counter()
        if len(patience) == 2:  # it was done before it was to be killed
            took = min(took, time.perf_counter() - begin)
        elif not patience:  # it was killed whenever it was to be: the machine is slower than thought
            took *= 1.2
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


@pytest.mark.timeout(900)
def test_twenty_kills(small_log: Path, tmp_path: Path, tally: Tally) -> None:
    killed = ends_as_if_never_killed(small_log, tmp_path, kills=20, threads=1)
    tally("trainings killed with SIGKILL and gone on with, 1 thread, as in every check", killed)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("threads", [1, 2])
def test_many_kills(small_log: Path, tmp_path: Path, threads: int, tally: Tally) -> None:
    killed = ends_as_if_never_killed(small_log, tmp_path, kills=100, threads=threads)
    tally(f"trainings killed with SIGKILL and gone on with, {threads} thread{'s' * (threads > 1)}", killed)
