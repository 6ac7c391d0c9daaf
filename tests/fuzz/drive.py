"""Fuzz the targets of `test_fuzz.py` with many cases, led by the code they reach where atheris is installed.

python tests/fuzz/drive.py --cases 100000 [--target NAME ...] [--tally results/reliability.json]

A case that fails is kept in `corpus/NAME/`, where every check tries it again.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
sys.path.append(str(HERE))
LONGEST = 4_096
"""Bytes of a case."""


def say(line: str) -> None:
    """Tell it at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def led(name: str, cases: int) -> None:
    """Fuzz one target in this process with atheris, which ends the process; a case that fails ends it at once."""
    atheris = import_module("atheris")
    with atheris.instrument_imports(include=["gsrec"]):
        test_fuzz = import_module("test_fuzz")
    seeds = Path(tempfile.mkdtemp(prefix="gsrec-seeds-"))
    for number, seed in enumerate([*test_fuzz.TARGETS[name][1](), *test_fuzz.found_before(name)]):
        (seeds / str(number)).write_bytes(seed)
    kept = HERE / "corpus" / name
    kept.mkdir(parents=True, exist_ok=True)
    told = [f"-runs={cases}", f"-max_len={LONGEST}", f"-artifact_prefix={kept}/", "-rss_limit_mb=6000", "-seed=1"]
    atheris.Setup([sys.argv[0], str(seeds), *told], lambda content: test_fuzz.attempt(name, content))
    atheris.Fuzz()


def mixed(name: str, cases: int) -> int:
    """Fuzz one target in this process without atheris; gives how many cases failed."""
    test_fuzz = import_module("test_fuzz")
    seeds, failed = [*test_fuzz.TARGETS[name][1](), *test_fuzz.found_before(name)], 0
    generator = random.Random(1)  # noqa: S311
    for _ in range(cases):
        content = test_fuzz.mutated(seeds, generator)
        try:
            test_fuzz.attempt(name, content)
        except Exception as error:
            failed += 1
            kept = HERE / "corpus" / name / f"crash-{test_fuzz.checksum(content)[:16]}"
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(content)
            say(f"{name}: {type(error).__name__}: {error}")
    return failed


def main() -> None:
    """Fuzz every target in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100_000, help="of every target")
    parser.add_argument("--target", action="append", help="one of the targets; without it all")
    parser.add_argument("--tally", type=Path, help="a JSON file that is told what was tried")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        if find_spec("atheris"):
            led(given.one, given.cases)
        sys.exit(1 if mixed(given.one, given.cases) else 0)
    test_fuzz = import_module("test_fuzz")
    failed = []
    for name in given.target or test_fuzz.TARGETS:
        command = [sys.executable, __file__, "--one", name, "--cases", str(given.cases)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        passed = done.returncode == 0
        say(f"{name}: {given.cases:,} cases, {'none failed' if passed else 'FAILED'}")
        if not passed:
            failed.append(name)
            say(done.stdout[-1_000:] + done.stderr[-3_000:])
        if given.tally:
            tally(given.tally, f"hostile bytes: {name}", given.cases, lost=int(not passed))
    sys.exit(1 if failed else 0)


def tally(file: Path, what: str, tried: int, *, lost: int) -> None:
    """Write down how many were to be tried and whether any was lost: the first one ends it."""
    told = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({**told, what: {"tried": tried, "lost": lost}}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
