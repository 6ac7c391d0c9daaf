"""Write logs that no default was made on, to try defaults with: some users of real ones, and made-up ones.

python benchmarks/samples.py --out DIR
gsrec train DIR/ml-1m-600.csv --set batch_size=64 --out RUN
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from gsrec.data.log import InteractionLog
from gsrec.data.sources import open_log
from gsrec.data.synthetic import synthetic_log

SAMPLES = {"ml-1m": (50, 150, 600), "amazon-beauty-5core": (1_000, 4_000), "amazon-beauty-bert4rec": (8_000,)}
"""How many users, drawn at random, with all their events."""

PIECE = 12
"""Events of a piece of a history."""

MADE_UP: dict[str, dict[str, int]] = {
    "long": {"num_users": 2_000, "num_items": 500, "mean_length": 30},
    "short": {"num_users": 6_000, "num_items": 6_000, "mean_length": 10},
}


def write(log: InteractionLog, users: np.ndarray, path: Path) -> None:
    """Write the events of these users as they follow each other."""
    time = "timestamp" if log.time_kind == "clock" else "position"
    frame = log.frame.filter(log.frame["user_id"].is_in(users.tolist()))
    frame.rename({"time": time}).write_csv(path)
    print(path, f"{frame.height:,} events", flush=True)


def pieces(log: InteractionLog) -> InteractionLog:
    """A third of the pieces that a log's histories are cut into, each of them a user: many short histories."""
    place = pl.int_range(pl.len()).over("user_id")
    frame = log.frame.with_columns(user_id=pl.col("user_id") * 1_000 + place // PIECE)
    chosen = frame["user_id"].unique().sort().sample(fraction=1 / 3, seed=1)
    return replace(log, frame=frame.filter(pl.col("user_id").is_in(chosen.implode())))


def main() -> None:
    """Write all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the folder of the logs")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for name, sizes in SAMPLES.items():
        log = open_log(name)
        users = log.frame["user_id"].unique(maintain_order=True).to_numpy()
        for size in sizes:
            drawn = np.sort(np.random.default_rng(0).choice(users.size, size, replace=False))
            write(log, users[drawn], given.out / f"{name}-{size}.csv")
    cut = pieces(open_log("ml-1m"))
    write(cut, cut.frame["user_id"].unique().to_numpy(), given.out / "ml-1m-pieces.csv")
    for name, knobs in MADE_UP.items():
        log = synthetic_log(**knobs, predictability=0.5, seed=1)
        write(log, log.frame["user_id"].unique().to_numpy(), given.out / f"made-up-{name}.csv")


if __name__ == "__main__":
    main()
