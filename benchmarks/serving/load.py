"""Load a server with session events, and check every answer against the library: wrk asks, 1,000 users think.

python benchmarks/serving/load.py --out results/performance

It needs wrk (Debian: apt-get install wrk). Server and wrk share this machine; the model has ml-1m's 3,416 items and
random weights, which cost what trained ones do.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).parents[1]))
from run import machine

from gsrec.bundle import Bundle, DataFacts, save_bundle
from gsrec.data.vocabulary import Vocabulary
from gsrec.files import write_json
from gsrec.models import GSRecConfig, build_model
from gsrec.recommend.recommendation import Recommendation
from gsrec.recommend.recommender import Recommender

NUM_ITEMS, NUM_SESSIONS, K = 3_416, 1_000, 10
WARM_UP_SECONDS = 5
TOLERANCE = 1e-4
"""By how much a score may differ: sums of float32 depend on how many sessions are computed together."""


@dataclass(frozen=True)
class Load:
    """What is asked of the server.

    Attributes:
        name: of the row.
        connections: users who ask at a time.
        think: mean milliseconds between an answer and the same user's next event.
    """

    name: str
    connections: int
    think: float


LOADS = (
    Load("1,000 users, an event every 0.9 s each", 1_000, 900),
    Load("1,000 users, an event every 0.6 s each", 1_000, 600),
    Load("16 users who do not think: the most it can do", 16, 0),
)


def make_bundle(path: Path) -> Recommender:
    """A model of ml-1m's size with random weights, saved for the server."""
    config = GSRecConfig()
    model = build_model(config, num_items=NUM_ITEMS, seed=1).eval()
    facts = DataFacts(name="random", fingerprint="0" * 64, num_users=1, num_items=NUM_ITEMS, num_interactions=1)
    counts = torch.zeros(NUM_ITEMS + 1, dtype=torch.int64)
    bundle = Bundle(model, config, Vocabulary.of(range(1, NUM_ITEMS + 1)), facts, counts)
    save_bundle(bundle, path)
    return Recommender(bundle)


@contextmanager
def serving(bundle: Path, sessions: Path) -> Iterator[tuple[str, int]]:
    """A server as a process of its own; gives its address and its process's id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gsrec", "serve", str(bundle), "--port", str(port), "--sessions", str(sessions)]
    server = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/readyz", server)
        yield address, server.pid
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


def wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until the server is ready."""
    for _ in range(600):
        if server.poll() is not None:
            sys.exit("the server did not start")
        try:
            with urllib.request.urlopen(address, timeout=1):  # noqa: S310  # it is http://127.0.0.1
                return
        except OSError:
            time.sleep(0.1)
    sys.exit("the server is not ready after a minute")


def ask(load: Load, address: str, seconds: int, answers: Path) -> dict[str, float]:
    """Have wrk ask for so many seconds; gives what it measured, times in milliseconds."""
    told = [
        "-t1",
        f"-c{load.connections}",
        f"-d{seconds}s",
        "--timeout",
        "10s",
        "-s",
        f"{Path(__file__).parent}/load.lua",
    ]
    given = ["--", str(NUM_SESSIONS), str(NUM_ITEMS), str(load.think), str(answers)]
    said = subprocess.run(["wrk", *told, address, *given], check=True, capture_output=True, text=True).stdout  # noqa: S607
    return dict(json.loads(said.splitlines()[-1]))


def cpu_seconds(process: int) -> float:
    """What a process has used of the processors so far, of Linux."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def read_answers(paths: list[Path]) -> list[dict[str, object]]:
    """All answers; a refusal ends the program."""
    found = []
    for line in (line for path in paths for line in path.read_text(encoding="utf-8").splitlines()):
        status, body = line.split("\t", 1)
        if status != "200":
            sys.exit(f"refused: {line}")
        found.append(json.loads(body))
    return found


def check(recommender: Recommender, address: str, answers: list[dict[str, object]]) -> dict[str, int]:
    """Compare every answer with the library's, after the events that the session had then.

    An event whose answer never came may be kept nevertheless; one that was answered must be.
    """
    histories: dict[str, list[int]] = {}
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    wrong = 0
    for start in range(0, len(answers), 512):
        batch = answers[start : start + 512]
        for answer in batch:
            session, count = str(answer["session_id"]), int(str(answer["num_events"]))
            if session not in histories:
                histories[session] = items_of(address, session)
            numbers[session].append(count)
        taken = [histories[str(one["session_id"])][: int(str(one["num_events"]))] for one in batch]
        expected = recommender.recommend(taken, K + 1)
        wrong += sum(not same(answer, one) for answer, one in zip(batch, expected, strict=True))
    lost = sum(max(counts) > len(histories[session]) for session, counts in numbers.items())
    twice = sum(len(set(counts)) != len(counts) for counts in numbers.values())
    return {"answers": len(answers), "wrong": wrong, "sessions": len(numbers), "lost": lost, "out_of_order": twice}


def items_of(address: str, session: str) -> list[int]:
    """The events of a session, as the server has kept them."""
    with urllib.request.urlopen(f"{address}/v1/sessions/{session}", timeout=10) as answer:  # noqa: S310
        return [item["item_id"] for item in json.load(answer)["items"]]


def same(answer: dict[str, object], expected: Recommendation) -> bool:
    """Whether an answer is the library's: the same scores, and the same items but where scores are equal.

    `expected` has one item more, so that an item that ties with the last one is known too.
    """
    items = answer["items"]
    assert isinstance(items, list)
    scores = dict(zip(expected.items, expected.scores, strict=True))
    return len(items) == K and all(
        abs(item["score"] - score) < TOLERANCE and abs(scores.get(item["item_id"], 1e9) - item["score"]) < TOLERANCE
        for item, score in zip(items, expected.scores, strict=False)
    )


def main() -> None:
    """Measure all loads, then check all answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the folder of serving.json")
    parser.add_argument("--seconds", type=int, default=30, help="of every load")
    given = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed (Debian: apt-get install wrk)")
    torch.set_num_threads(1)
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recommender = make_bundle(folder / "model.gsrec")
        with serving(folder / "model.gsrec", folder / "sessions.sqlite") as (address, process):
            files = [folder / f"answers{place}" for place in range(2 * len(LOADS))]
            for place, load in enumerate(LOADS):
                ask(load, address, WARM_UP_SECONDS, files[2 * place])
                others, used = os.getloadavg()[0], cpu_seconds(process)
                measured = ask(load, address, given.seconds, files[2 * place + 1])
                used = cpu_seconds(process) - used
                requests = measured["requests"]
                rates = {"per_second": requests / measured["seconds"], "cpu_ms": 1_000 * used / requests}
                rows.append({"load": load.name, **measured, **rates, "load_average_before": others})
                print(rows[-1], flush=True)
            checked = check(recommender, address, read_answers(files))
    print(checked)
    about = (
        "wrk against `gsrec serve` with SQLite on the same machine, each event kept before it is answered; 1,000 "
        f"sessions, {NUM_ITEMS:,} items, {K} recommended. The processor's time is "
        "what the server used of all cores for one event. Every answer was compared with "
        f"`Recommender.recommend` of the events that the session had then, scores to {TOLERANCE}."
    )
    write_json(given.out / "serving.json", {"about": about, "machine": machine(), "rows": rows, "checked": checked})


if __name__ == "__main__":
    main()
