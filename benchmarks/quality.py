"""Measure how long training takes until it is good, on all cores, against the peer with the strongest recipe.

python benchmarks/quality.py --out results/performance
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

from run import HERE, LENGTHS, SYSTEMS, write_log

from gsrec.files import write_json

MARKS = (0.15, 0.17)
TRAININGS = (("gsrec", "sasrec"), ("gsrec", "gsrec"), ("rectools", "sasrec"))
LOG = "ml-1m"


def main() -> None:
    """Train one after the other; what was measured before is kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the folder of quality.json")
    parser.add_argument("--minutes", type=float, default=30.0, help="the most training of a system")
    given = parser.parse_args()
    path = given.out / "quality.json"
    told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"systems": []}
    told |= {
        "marks": list(map(str, MARKS)),
        "about": f"Training until validation NDCG@10 passes a mark, validations not counted: {LOG}, width 64, "
        f"2 blocks, length 200, batches of 128, softmax, {os.cpu_count()} cores; all else as each system has it by "
        f"itself. One that has not passed a mark in {given.minutes:g} minutes has not reached it.",
    }
    with tempfile.TemporaryDirectory() as folder:
        logs = {"log": str(write_log(LOG, False, Path(folder))), "whole": str(write_log(LOG, True, Path(folder)))}
        for system, model in TRAININGS:
            known = any((one["system"], one["model"]) == (system, model) for one in told["systems"])
            if known or not SYSTEMS[system].exists():
                continue
            work = {
                "kind": "quality",
                "length": LENGTHS[LOG],
                "mark": MARKS[-1],
                "minutes": given.minutes,
                "model": model,
            }
            script = HERE / "systems" / f"with_{system}.py"
            command = [str(SYSTEMS[system]), str(script), json.dumps(work | logs)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            curve = json.loads(done.stdout.strip().splitlines()[-1])["curve"]
            minutes = {
                str(mark): next((seconds / 60 for seconds, reached in curve if reached >= mark), None) for mark in MARKS
            }
            told["systems"].append({"system": system, "model": model, "minutes": minutes, "curve": curve})
            print(told["systems"][-1], flush=True)
            write_json(path, told)


if __name__ == "__main__":
    main()
