"""Write the page of what was tried and survived, out of what the tests, the fuzzer and `refresh.py` wrote.

python benchmarks/reliability.py results/reliability docs/reliability.md
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from gsrec.files import write_text

TEXT = """# Reliability

Written by `make reliability` from `results/reliability/tried.json` and `results/refresh/refresh.json`.

## Tried, survived, lost

A training keeps its whole state (weights, those of its best epoch, optimizers, averages, generators, its place in the
epoch) every five minutes (`--checkpoint-every`) and at the end of every epoch; the newest two are kept, with checksums,
and `gsrec train LOG ... --out DIR --resume` goes on from the newest whole one. A training is killed with SIGKILL at
random moments and resumed, again and again; it survives if the bundle that comes out has the SHA-256 of one that
was never killed. Hostile bytes are cut, flipped and mixed out of valid ones,
led by the code they reach (atheris); a case survives if it ends in the right answer or in an error that says what to
do, within ten seconds. `make fuzz` tries them, `make reliability` kills and makes faults happen.

| what | tried | survived | lost |
|---|---:|---:|---:|
{rows}

Found on the way, refused since, and tried again in every check: Parquet files of which a few changed bytes made the
library that read them panic, or ask for two exabytes and take the process down (another one reads them since); a disk
that fills up while a table is written as Parquet.

A fault is a test of `tests/faults`, made to happen in every check, once for every kind of file that it can meet. It is
survived if the test holds: what was good before is still good, nothing half-written counts, and what happened is told.
"""

REFRESH = """
## A model that ages

GSRec on amazon-beauty-5core, trained on the first 70% of the events, of which the newest tenth, 59 days, only chose its
epoch; asked at each age what users take in the following four weeks (each user's last event, all items, seen ones left
out). Stale: as it was, so that what it lacks is that tenth and all since. Refreshed: trained further as `gsrec refresh`
does, with four fifths of the events since; the last fifth chooses the epoch (the command holds back a fifth more, by
which it compares). Retrained: from nothing, with the same events. NDCG@10 with 95% intervals; one seed, one thread of
{processor}. The first training took {first}. Measured by `python benchmarks/refresh.py --out results/refresh`.

| weeks | targets | cold | stale | refreshed | retrained | refreshed minus retrained | refresh | training anew |
|---:|---:|---:|---|---|---|---|---:|---:|
{rows}
"""


def refresh_part(told: dict[str, Any]) -> str:
    """The table of ages."""
    rows = []
    for row in told["rows"]:
        judged = " | ".join(f"{row[name]['NDCG@10']:.4f} {between(row[name]['interval'])}" for name in KINDS)
        against = row["refreshed minus retrained"]
        costs = " | ".join(f"{row[name]['seconds']:,.0f} s, {row[name]['epochs']} epochs" for name in KINDS[1:])
        rows.append(
            f"| {row['weeks']} | {row['targets']:,} | {row['cold']:.1%} | {judged} | {against['difference']:+.4f} "
            f"{between(against['interval'])} | {costs} |"
        )
    first = f"{told['first']['seconds']:,.0f} s, {told['first']['epochs']} epochs"
    return REFRESH.format(processor=told["machine"]["processor"], first=first, rows="\n".join(rows))


KINDS = ("stale", "refreshed", "retrained")


def between(interval: list[float]) -> str:
    """An interval in brackets."""
    return f"({interval[0]:.4f} to {interval[1]:.4f})"


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where tried.json is")
    parser.add_argument("page", type=Path)
    given = parser.parse_args()
    tried = json.loads((given.folder / "tried.json").read_text(encoding="utf-8"))
    rows = [
        f"| {what} | {told['tried']:,} | {told['tried'] - told['lost']:,} | {told['lost']:,} |"
        for what, told in sorted(tried.items())
    ]
    page = TEXT.format(rows="\n".join(rows))
    refreshed = given.folder.parent / "refresh" / "refresh.json"
    if refreshed.exists():
        page += refresh_part(json.loads(refreshed.read_text(encoding="utf-8")))
    write_text(given.page, page)


if __name__ == "__main__":
    main()
