"""Measure a model that ages: left as it is, refreshed, and trained anew, by its age, on amazon-beauty-5core.

python benchmarks/refresh.py --out results/refresh

The model learns from the events up to a moment, but for their newest tenth, which chooses its best epoch: what the
others learn beyond it is that tenth too. At each age all three are asked what users take in the next four weeks:
the last event of each user, if anything was before it. Refreshed and retrained models learn from the events before
those weeks, but for the last fifth of what is new since the first model, which chooses their best epoch. (The command
holds back one fifth more, by which it compares old and new.) What was measured is not measured again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from run import machine

from gsrec.bundle import Bundle
from gsrec.data.log import InteractionLog
from gsrec.data.sources import open_log
from gsrec.data.splits import Split, at_moments
from gsrec.evaluation.evaluator import Evaluation, Protocol, evaluate
from gsrec.evaluation.metrics import ndcg
from gsrec.evaluation.significance import paired_test
from gsrec.evaluation.widened import Widened
from gsrec.experiment.config import RunConfig
from gsrec.experiment.configure import run_config
from gsrec.experiment.further_training import RefreshPlan, go_on
from gsrec.experiment.prepare import batches_of, new_model
from gsrec.files import write_json
from gsrec.models import SequenceEncoder
from gsrec.training.course import Keeping
from gsrec.training.trainer import fit

WEEK = 7 * 86_400
AGES = (4, 8, 16, 26)
"""Weeks."""

HORIZON = 4
"""Weeks that are asked about."""

BEGIN = 0.7
"""The share of the events that the model learns from at first."""

SETTINGS = (
    *("embedding_size=128", "recurrent_size=128", "max_length=50", "dropout=0.5", "temperature=0.07"),
    *("averaging=0.98", "learning_rate=1e-3", "batch_size=256", "epochs=30", "patience=3"),
)


def until(log: InteractionLog, moment: float) -> InteractionLog:
    """The events of a log up to a moment."""
    frame = log.frame.filter(log.frame["time"] <= moment)
    return InteractionLog(frame, log.time_kind, log.name, log.notes, log.ticks_per_second)


def trained(config: RunConfig, split: Split) -> tuple[Bundle, float, int]:
    """A model trained from nothing, the seconds it took, and its epochs."""
    model = new_model(config, split)
    assert isinstance(model, SequenceEncoder)
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        fitted = fit(
            model,
            batches_of(split, config, model),
            config.training,
            validate=lambda: evaluate(model, split, Protocol("validation")).metrics,
            keeping=Keeping(Path(folder)),
            seed=config.seed,
        )
    bundle = Bundle.of(model, config.model, split, settings=config.model_dump(mode="json"))
    return bundle, time.perf_counter() - begin, len(fitted.epochs)


def told(evaluation: Evaluation) -> dict[str, Any]:
    """What is kept of an evaluation."""
    return {name: evaluation.metrics[name] for name in ("HR@10", "NDCG@10")} | {
        "interval": evaluation.intervals["NDCG@10"]
    }


def measure(log: InteractionLog, config: RunConfig, weeks: int, base: Bundle, begin: float) -> dict[str, Any]:
    """All three at one age."""
    moment = begin + weeks * WEEK
    known = until(log, moment + HORIZON * WEEK)
    vocabulary = base.vocabulary.extended(known.frame["item_id"].unique(maintain_order=True).to_list())
    times = known.frame["time"].to_numpy()
    since = times[(times > begin) & (times <= moment)]
    split = at_moments(known.to_sequences(vocabulary), float(np.quantile(since, 0.8, method="inverted_cdf")), moment)
    further = go_on(base, config, split, int(begin), RefreshPlan(seed=config.seed))
    anew, anew_seconds, anew_epochs = trained(config, split)
    test = Protocol("test")
    stale = evaluate(Widened(base.model, split.sequences.num_items, base.counts), split, test)
    fresh, new = evaluate(further.model, split, test), evaluate(anew.model, split, test)
    against = paired_test(ndcg(fresh.ranks, 10), ndcg(new.ranks, 10))
    return {
        "weeks": weeks,
        "targets": int(stale.ranks.size),
        "cold": stale.audit.cold,
        "stale": told(stale),
        "refreshed": {**told(fresh), "seconds": further.seconds, "epochs": further.epochs},
        "retrained": {**told(new), "seconds": anew_seconds, "epochs": anew_epochs},
        "refreshed minus retrained": {"difference": against.difference, "interval": against.interval},
    }


def main() -> None:
    """Measure every age."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the folder of refresh.json")
    given = parser.parse_args()
    torch.set_num_threads(1)
    log = open_log("amazon-beauty-5core")
    begin = float(np.quantile(log.frame["time"].to_numpy(), BEGIN, method="inverted_cdf"))
    config = run_config("gsrec", settings=SETTINGS)
    file = given.out / "refresh.json"
    rows: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.exists() else []
    at_first = until(log, begin)
    validation = float(np.quantile(at_first.frame["time"].to_numpy(), 0.9, method="inverted_cdf"))
    base, seconds, epochs = trained(config, at_moments(at_first.to_sequences(), validation, begin))
    print("trained", f"{seconds:.0f} s, {epochs} epochs", flush=True)
    for weeks in AGES:
        if weeks not in [row["weeks"] for row in rows]:
            rows.append(measure(log, config, weeks, base, begin))
            print(rows[-1], flush=True)
            about = {"settings": SETTINGS, "horizon_weeks": HORIZON, "machine": machine()}
            write_json(file, {**about, "first": {"seconds": seconds, "epochs": epochs}, "rows": rows})


if __name__ == "__main__":
    main()
