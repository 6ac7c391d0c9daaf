"""Measure how time and memory grow with events, items and the length of histories, and draw it.

    python benchmarks/growth.py --out results/performance

Every point is a process of its own on one core. Logs are made up: histories of equal length, items by Zipf's law.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from run import pinned

from gsrec import read_log
from gsrec.data.sequences import Sequences
from gsrec.data.splits import Split
from gsrec.data.vocabulary import Vocabulary
from gsrec.experiment.configure import run_config
from gsrec.experiment.prepare import batches_of
from gsrec.files import write_json
from gsrec.models import PopRec, build_model
from gsrec.training.training import Training

READ = [10**5, 10**6, 10**7, 10**8]
EPOCH = [10**5, 10**6, 10**7]
ITEMS = [10**3, 10**4, 10**5, 10**6]
LENGTHS = [50, 100, 200, 500, 1000, 2000]
STEPS = 8


def made_up(num_events: int, num_items: int, length: int) -> Sequences:
    """Sequences of `length` events each."""
    random = np.random.default_rng(0)
    users = max(num_events // length, 1)
    items = (random.zipf(1.3, users * length) % num_items + 1).astype(np.int32)
    ids = pl.Series(np.arange(1, num_items + 1))
    return Sequences(items, np.arange(users + 1) * length, Vocabulary(ids), pl.Series(np.arange(users)))


def read(num_events: int) -> dict[str, float]:
    """Seconds from a Parquet file to sequences."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.parquet"
        program = f"from growth import write_parquet; write_parquet({num_events}, {str(path)!r})"
        pinned([sys.executable, "-c", f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); {program}"])
        begin = time.perf_counter()
        sequences = read_log(path).to_sequences()
        seconds = time.perf_counter() - begin
    kept = sequences.items.nbytes + sequences.offsets.nbytes
    kept += 0 if sequences.timestamps is None else sequences.timestamps.nbytes
    return {"seconds": seconds, "kept_bytes": kept}


def write_parquet(num_events: int, path: str) -> None:
    """A log in the order of time, users mixed."""
    random = np.random.default_rng(0)
    pl.DataFrame(
        {
            "user_id": random.integers(0, max(num_events // 20, 1), num_events),
            "item_id": random.zipf(1.3, num_events) % 50_000,
            "timestamp": 1_500_000_000 + np.sort(random.integers(0, 10**8, num_events)),
        }
    ).write_parquet(path)


def train(model: str, num_events: int, num_items: int, length: int, *settings: str) -> dict[str, float]:
    """Seconds an epoch, worked out from some steps."""
    sequences = made_up(num_events, num_items, length)
    split = Split(sequences, sequences.offsets[1:], sequences.offsets[1:])
    size = max(4096 // length, 1)
    config = run_config(model, settings=(f"max_length={length}", f"batch_size={size}", "epochs=1", *settings))
    encoder = build_model(config.model, num_items=num_items, seed=1)
    assert not isinstance(encoder, PopRec)
    batches = batches_of(split, config, encoder)
    training = Training(encoder, batches, config.training, seed=1)
    training.model.train()
    spent, done, begin = 0.0, 0, time.perf_counter()
    built = sum(rows.size for rows in batches.epoch(1))
    building = time.perf_counter() - begin
    for step, rows in enumerate(batches.epoch(1)):
        begin = time.perf_counter()
        training.step(torch.from_numpy(rows))
        if step >= 2:
            spent, done = spent + time.perf_counter() - begin, done + rows.size
        if step == STEPS + 2:
            break
    return {"seconds": spent * built / done, "seconds_to_build_batches": building}


POINTS: dict[str, list[tuple[Any, ...]]] = {
    "events read": [("read", n) for n in READ],
    "events of an epoch": [("train", "gsrec", n, 10_000, 50) for n in EPOCH],
    "items, softmax": [("train", "sasrec", 2**16, v, 50) for v in ITEMS],
    "items, 1,000 shared negatives": [
        ("train", "sasrec", 2**16, v, 50, "loss=sampled-softmax", "num_negatives=1000") for v in ITEMS
    ],
    "length, gsrec": [("train", "gsrec", 2**17, 10_000, length) for length in LENGTHS],
    "length, sasrec": [("train", "sasrec", 2**17, 10_000, length) for length in LENGTHS],
}
SIZES = {"events read": READ, "events of an epoch": EPOCH, "items": ITEMS, "length": LENGTHS}


def sizes_of(name: str) -> list[int]:
    """What grows along a line."""
    return next(sizes for start, sizes in SIZES.items() if name.startswith(start))


def draw(lines: dict[str, list[dict[str, float]]], path: Path) -> None:
    """Time and memory by what grows, on logarithmic scales; a grey line is linear growth."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 6.5), layout="constrained")
    for column, start in enumerate(SIZES):
        for row, (key, label) in enumerate((("seconds", "seconds"), ("peak_bytes", "peak memory, GB"))):
            axes = figure.add_subplot(2, len(SIZES), row * len(SIZES) + column + 1)
            for name in (name for name in lines if name.startswith(start)):
                points = [(point["size"], point[key] / (1 if key == "seconds" else 1e9)) for point in lines[name]]
                axes.loglog(*zip(*points, strict=True), marker="o", label=name)
            if key == "seconds":
                first, last = points[0], points[-1][0]
                axes.loglog([first[0], last], [first[1], first[1] * last / first[0]], color="lightgrey", zorder=0)
                axes.set_title(start)
            axes.set_ylabel(label)
            axes.legend(fontsize="small")
    figure.savefig(path, dpi=110)


def main(arguments: Iterable[str] | None = None) -> None:
    """Measure all points, or the one given as JSON (in a process of its own)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="the folder of growth.json and growth.png")
    parser.add_argument("--point", help="one point, as JSON; used from within")
    given = parser.parse_args(arguments)
    if given.point:
        kind, *rest = json.loads(given.point)
        answer = read(*rest) if kind == "read" else train(*rest)
        print(json.dumps(answer | {"peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
        return
    lines: dict[str, list[dict[str, float]]] = {}
    for name, points in POINTS.items():
        for size, point in zip(sizes_of(name), points, strict=True):
            done = pinned([sys.executable, __file__, "--point", json.dumps(point)])
            if done.returncode:
                print(name, size, "failed:", done.stderr.strip().splitlines()[-1])
                continue
            lines.setdefault(name, []).append({"size": size, **json.loads(done.stdout.splitlines()[-1])})
            print(name, lines[name][-1], flush=True)
    write_json(given.out / "growth.json", lines)
    draw(lines, given.out / "growth.png")


if __name__ == "__main__":
    main()
