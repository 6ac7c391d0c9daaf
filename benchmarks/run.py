"""Measure GSRec and its peers side by side, one after the other on one core, and write what came out.

    python benchmarks/run.py --out results/performance            all rows (about half an hour)
    python benchmarks/run.py --out results/performance --rows one-ml-1m,import

A peer has an environment of its own under `benchmarks/.venvs`, made from `benchmarks/peers/NAME.txt` by `make peers`;
one that is not there is named in the results. `gsrec bench` is no command: this is for those who work on GSRec.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

import polars as pl
import torch

from gsrec import __version__
from gsrec.data.sources import open_log
from gsrec.files import write_json

HERE = Path(__file__).parent
SYSTEMS = {
    "gsrec": Path(sys.executable),
    **{name: HERE / ".venvs" / name / "bin" / "python" for name in ("rectools", "replay", "recbole")},
}
NOT_ON_PYPI = {"pmixer/SASRec.pytorch": "no package", "asash/gSASRec-pytorch": "no package"}
CORE = max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
LENGTHS = {"ml-1m": 200, "amazon-beauty-bert4rec": 50}
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
TIMES_OF_AN_IMPORT = 5


@dataclass(frozen=True)
class Row:
    """One line of the table: what is measured, on which log, and what we want to reach (seconds, GB)."""

    name: str
    what: str
    kind: str
    log: str
    goal_seconds: float
    goal_gigabytes: float | None = None
    loss: str = "softmax"
    steps: dict[str, int] = field(default_factory=dict)


FEW_STEPS = {"gsrec": 30, "rectools": 6, "replay": 6, "recbole": 6}
MANY_STEPS = {"gsrec": 40, "rectools": 20, "replay": 20, "recbole": 10}
FEWER_STEPS = {"gsrec": 20, "rectools": 3, "replay": 3, "recbole": 5}
BEAUTY = "amazon-beauty-bert4rec"
ROWS = (
    Row("softmax-ml-1m", "SASRec, softmax, an epoch", "train", "ml-1m", 15, 0.8, steps=FEW_STEPS),
    Row("softmax-beauty", "SASRec, softmax, an epoch", "train", BEAUTY, 75, 0.7, steps=FEWER_STEPS),
    Row("one-negative-ml-1m", "SASRec, one negative, an epoch", "train", "ml-1m", 8, None, "one-negative", MANY_STEPS),
    Row("one-negative-beauty", "SASRec, one negative, an epoch", "train", BEAUTY, 4, None, "one-negative", MANY_STEPS),
    Row("everyone-ml-1m", "top 10 for all users", "everyone", "ml-1m", 1.2),
    Row("everyone-beauty", "top 10 for all users", "everyone", BEAUTY, 4, 0.7),
    Row("one-ml-1m", "one user's history to top 10, median", "one", "ml-1m", 0.0006),
    Row("one-beauty", "one user's history to top 10, median", "one", BEAUTY, 0.0015),
)
IMPORTS = {
    "gsrec": ("import gsrec", "from gsrec.cli import main; import sys; sys.argv[1:] = ['--help']; main()"),
    "rectools": ("from rectools.models import SASRecModel",),
    "replay": ("from replay.nn.sequential import SasRec",),
    "recbole": ("from recbole.model.sequential_recommender import SASRec",),
}


def pinned(command: list[str], timeout: float = 1800) -> subprocess.CompletedProcess[str]:
    """Run a command on one core with one thread."""
    on_core = ["taskset", "-c", str(CORE)] if CORE is not None else []
    environment = os.environ | ONE_THREAD
    return subprocess.run(
        [*on_core, *command], env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )


def write_log(name: str, whole: bool, folder: Path) -> Path:
    """A source as a CSV file; without every user's last two events unless `whole`."""
    path = folder / f"{name}-{'whole' if whole else 'train'}.csv"
    if not path.exists():
        frame = open_log(name).frame.rename({"time": "position"})
        last = pl.col("position").max().over("user_id")
        (frame if whole else frame.filter(pl.col("position") <= last - 2)).write_csv(path)
    return path


def measure(row: Row, system: str, folder: Path) -> dict[str, object]:
    """What one system takes for one row, or why there is no number."""
    log = write_log(row.log, row.kind != "train", folder)
    work = {"kind": row.kind, "log": str(log), "length": LENGTHS[row.log], "loss": row.loss}
    work |= {"steps": row.steps[system]} if row.steps else {}
    script = HERE / "systems" / f"with_{system}.py"
    done = pinned([str(SYSTEMS[system]), str(script), json.dumps(work)])
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1][:300]}
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def measure_imports() -> Iterator[tuple[str, str, float]]:
    """System, program and the median wall time in seconds of a whole process that runs it."""
    for system, programs in IMPORTS.items():
        for program in programs if SYSTEMS[system].exists() else ():
            spent = []
            for _ in range(TIMES_OF_AN_IMPORT):
                begin = time.perf_counter()
                pinned([str(SYSTEMS[system]), "-c", program])
                spent.append(time.perf_counter() - begin)
            yield system, program, sorted(spent)[len(spent) // 2]


def product_rates() -> dict[str, float]:
    """GFLOP/s of products of the shapes of a loss over the catalogue, on one core."""
    program = (
        "import torch, time; torch.set_num_threads(1)\n"
        "for dtype in (torch.float32, torch.bfloat16):\n"
        "    a, b = torch.randn(128, 64, dtype=dtype), torch.randn(64, 3416, dtype=dtype); best = 1e9\n"
        "    for _ in range(200):\n"
        "        t = time.perf_counter(); a @ b; best = min(best, time.perf_counter() - t)\n"
        "    print(2 * 128 * 64 * 3416 / best / 1e9)\n"
    )
    rates = map(float, pinned([sys.executable, "-c", program]).stdout.split())
    return dict(zip(("float32", "bfloat16"), rates, strict=True))


def machine() -> dict[str, object]:
    """What all of this ran on."""
    names = [line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "polars": version("polars"),
        "gsrec": __version__,
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []


def main() -> None:
    """Measure the rows asked for; rows measured before are kept unless asked for again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the folder of side_by_side.json")
    parser.add_argument("--rows", default="", help="names of rows, by commas; all unless given")
    parser.add_argument("--systems", default="", help="names of systems, by commas; all unless given")
    given = parser.parse_args()
    path = given.out / "side_by_side.json"
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"rows": {}, "imports": []}
    wanted = given.rows.split(",") if given.rows else [row.name for row in ROWS] + ["import"]
    systems = given.systems.split(",") if given.systems else list(SYSTEMS)
    results |= {"machine": machine(), "rates": product_rates()}
    results["missing"] = {**{s: "not installed" for s, p in SYSTEMS.items() if not p.exists()}, **NOT_ON_PYPI}
    with tempfile.TemporaryDirectory() as folder:
        for row in (row for row in ROWS if row.name in wanted):
            kept = results["rows"].setdefault(row.name, {"systems": {}})
            kept |= {key: value for key, value in asdict(row).items() if key != "steps"}
            for system in (system for system in systems if SYSTEMS[system].exists()):
                kept["systems"][system] = measure(row, system, Path(folder))
                print(row.name, system, kept["systems"][system], flush=True)
                write_json(path, results)
    if "import" in wanted:
        results["imports"] = [
            {"system": system, "program": program, "seconds": seconds} for system, program, seconds in measure_imports()
        ]
        print(results["imports"])
    write_json(path, results)


if __name__ == "__main__":
    main()
