"""Measure again what an event of a session costs, for all recorded models, one after the other on a quiet machine.

python benchmarks/events.py results/[A-Z] results/thesis/*

It takes no trained model: time does not depend on what the weights are. Where the log is not there, nothing changes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from gsrec.data.splits import Split
from gsrec.errors import DataError
from gsrec.experiment.config import RunConfig, as_now
from gsrec.experiment.cost import event_seconds
from gsrec.experiment.folder import LogReference
from gsrec.experiment.prepare import prepare
from gsrec.files import write_text
from gsrec.models import PopRec, build_model
from gsrec.reporting.results import RESULTS_FILE


def measured(rows: Iterable[Mapping[str, Any]], splits: dict[str, Split]) -> dict[str, float]:
    """Seconds of an event, by label; `splits` are those that were laid before, by what they were laid for."""
    seconds: dict[str, float] = {}
    for row in rows:
        if row["label"] in seconds:
            continue
        config = RunConfig.model_validate(as_now(row["config"]))
        key = json.dumps([row["data"]["name"], config.data.model_dump(mode="json")])
        if key not in splits:
            splits[key] = prepare(LogReference.of(row["data"]["name"]), config)[0]
        split = splits[key]
        if split.sequences.fingerprint != row["data"]["fingerprint"]:
            raise DataError(f"{row['data']['name']} is another log than the one of the results")
        torch.set_num_threads(row["threads"] or 1)
        model = build_model(config.model, num_items=split.sequences.num_items, seed=config.seed).eval()
        if isinstance(model, PopRec):
            model.count(split)
        seconds[row["label"]] = event_seconds(model, config, split)
        print(f"{row['data']['name']}, {row['label']}: {1e3 * seconds[row['label']]:.2f} ms", flush=True)
    return seconds


def main() -> None:
    """Measure what these folders have."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", help="folders of `gsrec compare`")
    splits: dict[str, Split] = {}
    for folder in parser.parse_args().folders:
        rows = [json.loads(line) for line in (folder / RESULTS_FILE).read_text(encoding="utf-8").splitlines()]
        try:
            seconds = measured(rows, splits)
        except DataError as error:
            print(f"{folder}: {error}", flush=True)
            continue
        told = [json.dumps(row | {"event_seconds": seconds[row["label"]]}) for row in rows]
        write_text(folder / RESULTS_FILE, "\n".join(told) + "\n")


if __name__ == "__main__":
    main()
