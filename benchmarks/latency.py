"""Measure what a session's event costs: the item in, ten items out, by item ids; one thread, random weights.

python benchmarks/latency.py --out results/performance
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from run import machine

from gsrec.bundle import Bundle, DataFacts
from gsrec.data.vocabulary import Vocabulary
from gsrec.files import write_json
from gsrec.models import GRU4RecConfig, GSRecConfig, ModelConfig, SASRecConfig, build_model
from gsrec.recommend.recommender import Recommender

CONFIGS: dict[str, ModelConfig] = {"gsrec": GSRecConfig(), "gru4rec": GRU4RecConfig(), "sasrec": SASRecConfig()}
CATALOGUES = {"ml-1m": 3_416, "amazon-beauty-bert4rec": 54_542}
EVENTS = (10, 150, 10_000)
"""How many events a session has before it is measured."""

MEASURED = 1_000


def measure(name: str, num_items: int, events: int) -> dict[str, object]:
    """Times of so many further events of one session."""
    config = CONFIGS[name]
    model = build_model(config, num_items=num_items, seed=1).eval()
    facts = DataFacts(name="random", fingerprint="0" * 64, num_users=1, num_items=num_items, num_interactions=1)
    vocabulary = Vocabulary.of(range(1, num_items + 1))
    bundle = Bundle(model, config, vocabulary, facts, torch.zeros(num_items + 1, dtype=torch.int64))
    recommender, generator = Recommender(bundle), np.random.default_rng(1)
    session = recommender.session()
    session.add(*generator.integers(1, num_items + 1, events).tolist())
    size = len(session.to_bytes()) - 8 * len(session)
    streams_for, spent = 40 if name == "sasrec" and events < 200 else MEASURED, []
    begun = session.to_bytes()
    for place, item in enumerate(generator.integers(1, num_items + 1, MEASURED).tolist()):
        if place % streams_for == 0:
            session = recommender.resume(begun)
        begin = time.perf_counter()
        session.add(item)
        session.recommend(10)
        spent.append(time.perf_counter() - begin)
    median, p99 = np.quantile(spent[len(spent) // 5 :], (0.5, 0.99))
    row = {"model": name, "items": num_items, "events": events, "median": float(median), "p99": float(p99)}
    return row | {"state_bytes": size}


def main() -> None:
    """Measure all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the folder of latency.json")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for num_items in CATALOGUES.values():
        for name in CONFIGS:
            for events in EVENTS:
                rows.append(measure(name, num_items, events))
                print(rows[-1], flush=True)
    about = (
        "One thread, width 64, random weights. The state is what `Session.to_bytes` keeps besides 8 bytes an event. "
        "SASRec streams up to its length of 200, and computes its newest 200 events again from there on."
    )
    write_json(given.out / "latency.json", {"about": about, "machine": machine(), "rows": rows})


if __name__ == "__main__":
    main()
