"""Measure the item index: a million items of 64 numbers, one query at a time, one thread.

python benchmarks/index.py --out results/performance
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from run import machine
from torch import Tensor

from gsrec.files import write_json
from gsrec.recommend.index import ItemIndex, build_index

NUM_ITEMS, SIZE, K = 1_000_000, 64, 10
NUM_CLUSTERS, SPREAD = 2_000, 0.6
NUM_QUERIES, MEASURED, MEASURED_EXACT = 500, 500, 50


def clustered(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Items around centres, more or less popular, and histories near items: as trained ones lie."""
    centres = torch.randn(NUM_CLUSTERS, SIZE, generator=generator)
    items = centres[torch.randint(NUM_CLUSTERS, (NUM_ITEMS + 1,), generator=generator)]
    items += SPREAD * torch.randn(NUM_ITEMS + 1, SIZE, generator=generator)
    items *= (0.2 * torch.randn(NUM_ITEMS + 1, 1, generator=generator)).exp()
    near = items[torch.randint(1, NUM_ITEMS, (2 * NUM_QUERIES,), generator=generator)]
    return items, near + SPREAD * torch.randn(2 * NUM_QUERIES, SIZE, generator=generator)


def plain(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Normal numbers without any structure: as hard as it gets."""
    items = torch.randn(NUM_ITEMS + 1, SIZE, generator=generator)
    return items, torch.randn(2 * NUM_QUERIES, SIZE, generator=generator)


def times(index: ItemIndex, queries: Tensor) -> tuple[float, float, float]:
    """Median and 99th percentile of the seconds of a query, and the median of what the processor worked for it."""
    spent, worked = [], []
    for query in queries.split(1):
        begin, begin_work = time.perf_counter(), time.thread_time()
        index.search(query, K)
        spent.append(time.perf_counter() - begin)
        worked.append(time.thread_time() - begin_work)
    median, p99 = np.quantile(spent, (0.5, 0.99))
    return float(median), float(p99), float(np.median(worked))


def measure(name: str, make: Callable[[torch.Generator], tuple[Tensor, Tensor]], biased: bool) -> dict[str, object]:
    """One kind of items: the index is built by half of the queries, and measured by the other half."""
    generator = torch.Generator().manual_seed(1)
    weights, queries = make(generator)
    bias = torch.randn(NUM_ITEMS + 1, generator=generator) if biased else None
    begin = time.perf_counter()
    index = build_index(weights, bias, queries[:NUM_QUERIES])
    seconds = time.perf_counter() - begin
    exact, others = ItemIndex(weights, bias), queries[NUM_QUERIES:]
    best, found = exact.search(others, K)[1], index.search(others, K)[1]
    median, p99, worked = times(index, others[:MEASURED])
    exact_median, exact_p99, exact_worked = times(exact, others[:MEASURED_EXACT])
    return {
        "vectors": name,
        "bias": biased,
        "build_seconds": seconds,
        "half_bytes": index.half_bytes,
        "candidates": index.candidates,
        "recall_at_build": index.recall,
        "recall": float((best[:, :, None] == found[:, None]).any(2).float().mean()),
        "median": median,
        "p99": p99,
        "median_of_work": worked,
        "exact_median": exact_median,
        "exact_p99": exact_p99,
        "exact_median_of_work": exact_worked,
    }


def main() -> None:
    """Measure all kinds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the folder of index.json")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name, make, biased in (
        ("clustered", clustered, False),
        ("clustered", clustered, True),
        ("plain", plain, False),
    ):
        rows.append(measure(name, make, biased))
        print(rows[-1], flush=True)
    about = (
        f"{NUM_ITEMS:,} items of {SIZE} numbers, {K} best items, one query at a time, one thread; work is what "
        "the processor spent on a query, whatever else ran. The recall is measured against the exact index by queries "
        "that were not there when the index was built."
    )
    write_json(given.out / "index.json", {"about": about, "machine": machine(), "rows": rows})


if __name__ == "__main__":
    main()
