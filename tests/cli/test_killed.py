"""A training that is killed at any moment, and resumed, ends with the same bundle, byte for byte."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from gsrec.bundle import CHECKPOINTS_FOLDER

Tally = Callable[[str, int, int], None]

SETTINGS = (
    *("--model", "gsrec", "--set", "embedding_size=8", "--set", "recurrent_size=8", "--set", "num_heads=1"),
    *("--set", "epochs=6", "--set", "batch_size=8", "--set", "averaging=0.9", "--set", "patience=0"),
    *("--checkpoint-every", "0"),
)
RESUMED = re.compile(r"resuming epoch \d+ after its step (\d+)")


@dataclass
class Killed:
    """How often trainings were killed, how often one went on from the middle of an epoch, and how many were lost."""

    times: int = 0
    midway: int = 0
    lost: int = 0


def start(log: Path, out: Path, *, threads: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "gsrec", "train", str(log), *SETTINGS, "--out", str(out), "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    resume = ["--resume"] if out.exists() else []
    return subprocess.Popen(
        [*command, *resume], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def sums(out: Path) -> dict[str, str]:
    """SHA-256 of what a run came to."""
    names = ("weights.safetensors", "popularity.safetensors", "vocabulary.json", "manifest.json")
    return {name: hashlib.sha256((out / "bundle" / name).read_bytes()).hexdigest() for name in names}


def newest(folder: Path) -> int:
    """When the newest file of a folder was written, in nanoseconds."""
    times = [0]
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # it has its lasting name by now
            times.append(path.stat().st_mtime_ns)
    return max(times)


def ends_as_if_never_killed(log: Path, folder: Path, *, kills: int, threads: int) -> Killed:
    """Kill trainings at random moments after their first checkpoint, up to three times each, so many times in all.

    Two thirds of the time are the end of a run, its report and its bundle: early moments are the more frequent ones.
    """
    whole = start(log, folder / "whole", threads=threads)
    begin = first_checkpoint(whole, folder / "whole")
    assert not ends(whole, 100)[0]
    took = time.perf_counter() - begin  # at most: a later one that is not killed can be quicker
    generator, killed, number = np.random.default_rng(kills), Killed(), 0
    while killed.times < kills:
        out, number = folder / f"killed{number}", number + 1
        for patience in [*(generator.uniform(0, 1, 3) ** 2 * took).tolist(), 100.0]:
            fresh, process = not out.exists(), start(log, out, threads=threads)
            begin = first_checkpoint(process, out)
            was_killed, err = ends(process, patience)
            killed.midway += any(int(step) > 0 for step in RESUMED.findall(err))
            if not was_killed:
                if fresh:
                    took = min(took, time.perf_counter() - begin)
                break
            killed.times += 1
        killed.lost += sums(out) != sums(folder / "whole")
    return killed


def first_checkpoint(process: subprocess.Popen[str], out: Path) -> float:
    """Wait until a training writes a checkpoint, or ends."""
    before = newest(out / CHECKPOINTS_FOLDER)
    while process.poll() is None and newest(out / CHECKPOINTS_FOLDER) == before:
        time.sleep(0.002)
    return time.perf_counter()


def ends(process: subprocess.Popen[str], seconds: float) -> tuple[bool, str]:
    """Whether it had to be killed, since it did not end in time, and what it said; it ends well otherwise."""
    with process:
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            return True, process.communicate()[1]
    assert process.returncode == 0, err
    assert json.loads(out)["label"] == "gsrec"
    return False, err


def tell(killed: Killed, tally: Tally, threads: int, of_every_check: str = "") -> None:
    told = f"{threads} thread{'s' * (threads > 1)}{of_every_check}"
    tally(f"trainings killed with SIGKILL and resumed, {told}", killed.times, killed.lost)
    assert killed.lost == 0
    assert killed.midway > 0


@pytest.mark.timeout(900)
def test_twenty_kills(small_log: Path, tmp_path: Path, tally: Tally) -> None:
    tell(ends_as_if_never_killed(small_log, tmp_path, kills=20, threads=1), tally, 1, ", as in every check")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("threads", [1, 2])
def test_many_kills(small_log: Path, tmp_path: Path, threads: int, tally: Tally) -> None:
    tell(ends_as_if_never_killed(small_log, tmp_path, kills=100, threads=threads), tally, threads)
