"""Try each of the default rule's settings on logs it was not made on: samples of real ones, and made-up ones.

python benchmarks/defaults.py --out results/defaults

GSRec is trained with the settings of every kind of log that `gsrec.experiment.defaults` knows, and judged by its best
validation NDCG@10; the test part is never looked at. What was tried is not tried again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from refresh import trained
from run import machine

from gsrec.data.log import InteractionLog
from gsrec.data.sources import open_log
from gsrec.data.synthetic import synthetic_log
from gsrec.evaluation.evaluator import Protocol, evaluate
from gsrec.evaluation.metrics import ndcg
from gsrec.evaluation.significance import paired_test
from gsrec.experiment.config import run_config
from gsrec.experiment.defaults import LogSizes, suited_layer
from gsrec.files import write_json

EPOCHS = 40
KINDS = {
    "small": LogSizes(500, 500, 10_000),
    "between": LogSizes(1_000, 1_700, 100_000),
    "sparse": LogSizes(22_000, 12_000, 200_000),
}
"""A log of each kind that the rule knows. Dense ones are given what small ones are, and averages."""


def sample(name: str, users: int) -> InteractionLog:
    """All events of some users of a source, drawn at random."""
    log = open_log(name)
    known = log.frame["user_id"].unique(maintain_order=True)
    drawn = known.gather(np.sort(np.random.default_rng(0).choice(len(known), users, replace=False)))
    frame = log.frame.filter(log.frame["user_id"].is_in(drawn.implode()))
    return InteractionLog(frame, log.time_kind, f"{name}, {users:,} users", log.notes, log.ticks_per_second)


LOGS: dict[str, Callable[[], InteractionLog]] = {
    "ml-1m, 150 users": lambda: sample("ml-1m", 150),
    "ml-1m, 600 users": lambda: sample("ml-1m", 600),
    "amazon-beauty-5core, 4,000 users": lambda: sample("amazon-beauty-5core", 4_000),
    "amazon-beauty-bert4rec, 8,000 users": lambda: sample("amazon-beauty-bert4rec", 8_000),
    "made up, 2,000 users of 30 events, 500 items, half predictable": lambda: synthetic_log(
        num_users=2_000, num_items=500, mean_length=30, predictability=0.5, seed=1
    ),
    "made up, 6,000 users of 10 events, 6,000 items, half predictable": lambda: synthetic_log(
        num_users=6_000, num_items=6_000, mean_length=10, predictability=0.5, seed=1
    ),
}


def settings_of(sizes: LogSizes) -> tuple[str, ...]:
    """What the rule sets for a log of these sizes."""
    return tuple(f"{section}.{key}={value}" for section, of in suited_layer(sizes).items() for key, value in of.items())


def measure(name: str) -> dict[str, Any]:
    """All kinds of settings on one log, with intervals of their distance from those that the rule chooses."""
    log = LOGS[name]()
    plain = run_config("gsrec")
    split = plain.data.cut(plain.data.filtered(log).to_sequences())
    sizes = LogSizes.of(split.sequences)
    chosen = settings_of(sizes)
    choices = {kind: settings_of(of) for kind, of in KINDS.items()}
    tried = {}
    for kind, settings in choices.items():
        config = run_config("gsrec", settings=(*settings, f"epochs={EPOCHS}"))
        bundle, seconds, epochs = trained(config, split)
        tried[kind] = (evaluate(bundle.model, split, Protocol("validation")), {"seconds": seconds, "epochs": epochs})
        print(name, kind, f"{tried[kind][0].metrics['NDCG@10']:.4f}", f"{seconds:.0f} s, {epochs} epochs", flush=True)
    rule = next(kind for kind, settings in choices.items() if settings == chosen)
    return {
        "log": name,
        "users": sizes.num_users,
        "items": sizes.num_items,
        "events": sizes.num_interactions,
        "rule": rule,
        "tried": {
            kind: {
                **{metric: evaluation.metrics[metric] for metric in ("HR@10", "NDCG@10")},
                "interval": paired_test(ndcg(evaluation.ranks, 10), ndcg(tried[rule][0].ranks, 10)).interval,
                **costs,
            }
            for kind, (evaluation, costs) in tried.items()
        },
    }


def main() -> None:
    """Measure every log."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the folder of defaults.json")
    given = parser.parse_args()
    torch.set_num_threads(1)
    file = given.out / "defaults.json"
    rows: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.exists() else []
    for name in LOGS:
        if name not in [row["log"] for row in rows]:
            rows.append(measure(name))
            write_json(file, {"epochs": EPOCHS, "machine": machine(), "rows": rows})


if __name__ == "__main__":
    main()
