"""Write docs/performance.md out of what `run.py`, `growth.py` and `quality.py` measured.

python benchmarks/page.py results/performance docs/performance.md
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from gsrec.files import write_text

LOGS = {"ml-1m": "ml-1m", "amazon-beauty-bert4rec": "Beauty"}
SHAPES = {"ml-1m": (3416, 107, 645_869), "amazon-beauty-bert4rec": (54_542, 5.6, 226_462)}
"""Of a log: items, and of an epoch over each user's newest events the mean length of a row and the targets; only for
the share of the product rate."""

WHY = Path(__file__).parent / "missed.md"
"""Why goals are missed: written by hand, from profiles."""


def seconds(value: float) -> str:
    """A time as a reader wants it."""
    if value < 0.1:
        return f"{value * 1000:.2f} ms"
    return f"{value:.2f} s" if value < 10 else f"{value:,.0f} s"


def best_peer(systems: dict[str, Any]) -> tuple[str, float] | None:
    """The fastest peer that gave a number."""
    told = {name: answer["seconds"] for name, answer in systems.items() if name != "gsrec" and "seconds" in answer}
    return min(told.items(), key=lambda pair: pair[1]) if told else None


def side_by_side(rows: dict[str, Any]) -> list[str]:
    """The goals, and whether they are met."""
    lines = [
        "| work | log | this library | memory | best peer | times as fast | goal | met |",
        "|---|---|---:|---:|---:|---:|---:|---|",
    ]
    for row in rows.values():
        ours, peer = row["systems"]["gsrec"], best_peer(row["systems"])
        memory = ours["peak_bytes"] / 1e9
        fast = ours["seconds"] <= row["goal_seconds"]
        small = row["goal_gigabytes"] is None or memory <= row["goal_gigabytes"]
        goal = seconds(row["goal_seconds"]) + (f", {row['goal_gigabytes']} GB" if row["goal_gigabytes"] else "")
        met = (
            "yes"
            if fast and small
            else "no: "
            + " and ".join(
                [f"{ours['seconds'] / row['goal_seconds']:.2f} x the time"] * (not fast)
                + [f"{memory / (row['goal_gigabytes'] or 1):.2f} x the memory"] * (not small)
            )
        )
        told = f"{peer[0]} {seconds(peer[1])}" if peer else "none measured"
        ratio = f"{peer[1] / ours['seconds']:.1f}" if peer else ""
        lines.append(
            f"| {row['what']} | {LOGS[row['log']]} | {seconds(ours['seconds'])} | {memory:.2f} GB | {told} | {ratio} "
            f"| {goal} | {met} |"
        )
    return lines


def all_systems(rows: dict[str, Any]) -> list[str]:
    """Every number, memory in brackets."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row["systems"]))
    lines = ["| work | log | " + " | ".join(names) + " |", "|---|---|" + "---:|" * len(names)]
    for row in rows.values():
        cells = [row["systems"].get(name, {}) for name in names]
        told = [
            f"{seconds(cell['seconds'])} ({cell['peak_bytes'] / 1e9:.1f} GB)" if "seconds" in cell else "failed"
            for cell in cells
        ]
        lines.append(f"| {row['what']} | {LOGS[row['log']]} | " + " | ".join(told) + " |")
    return lines


def imports(results: list[dict[str, Any]]) -> list[str]:
    """Whole processes."""
    lines = ["| system | program | seconds |", "|---|---|---:|"]
    for one in results:
        program = "gsrec --help" if "--help" in one["program"] else one["program"]
        lines.append(f"| {one['system']} | `{program}` | {one['seconds']:.2f} |")
    return lines


def share_of_the_product_rate(rows: dict[str, Any], rates: dict[str, float]) -> list[str]:
    """How much of what the core can multiply a training of SASRec reaches."""
    lines = ["| log | GFLOP an epoch | GFLOP/s | share of the product rate |", "|---|---:|---:|---:|"]
    for name in ("softmax-ml-1m", "softmax-beauty"):
        if name not in rows:
            continue
        row, size, blocks = rows[name], 64, 2
        items, length, targets = SHAPES[row["log"]]
        forward = blocks * (2 * size * size * 6 + 2 * 2 * size * length / 2) + 2 * size * items
        flop = 3 * forward * targets / 1e9
        rate = flop / row["systems"]["gsrec"]["seconds"]
        lines.append(f"| {LOGS[row['log']]} | {flop:,.0f} | {rate:.0f} | {rate / rates['bfloat16']:.0%} |")
    return lines


def latency(rows: list[dict[str, Any]]) -> list[str]:
    """Milliseconds of a session's event, whatever came before."""
    lines = ["| model | items | events before | median | 99th percentile | state |", "|---|---:|---:|---:|---:|---:|"]
    for row in rows:
        state = f"{row['state_bytes'] / 1e3:.1f} kB"
        times = f"{row['median'] * 1e3:.2f} ms | {row['p99'] * 1e3:.2f} ms"
        lines.append(f"| {row['model']} | {row['items']:,} | {row['events']:,} | {times} | {state} |")
    return lines


def serving(told: dict[str, Any]) -> list[str]:
    """What the server holds, and whether its answers were right."""
    lines = [
        "| load | events a second | median | 99th percentile | processor, an event | failed |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in told["rows"]:
        times = f"{row['p50']:.1f} ms | {row['p99']:.1f} ms | {row['cpu_ms']:.2f} ms"
        lines.append(f"| {row['load']} | {row['per_second']:,.0f} | {times} | {row['failed']:,} |")
    checked = told["checked"]
    return [
        *lines,
        "",
        f"Of {checked['answers']:,} answers, those before the measuring began included, {checked['wrong']:,} were "
        f"wrong; {checked['lost']:,} events lost.",
    ]


def index(rows: list[dict[str, Any]]) -> list[str]:
    """How fast the index finds the best items, and how many of them."""
    lines = [
        "| vectors | built in | median | 99th percentile | of it work | recall@10 | exact |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        name = row["vectors"] + (", with a bias" if row["bias"] else "")
        measured = (row[key] * 1e3 for key in ("median", "p99", "median_of_work"))
        times = " | ".join([seconds(row["build_seconds"]), *(f"{value:.2f} ms" for value in measured)])
        lines.append(f"| {name} | {times} | {row['recall']:.3f} | {row['exact_median'] * 1e3:.1f} ms |")
    return lines


def growth(lines_of: dict[str, list[dict[str, float]]]) -> list[str]:
    """What grows, and how."""
    lines = ["| what grows | size | seconds | peak memory |", "|---|---:|---:|---:|"]
    for name, points in lines_of.items():
        for point in points:
            memory = f"{point['peak_bytes'] / 1e9:.2f} GB"
            lines.append(f"| {name} | {point['size']:,} | {seconds(point['seconds'])} | {memory} |")
    return lines


def page(folder: Path) -> str:
    """The whole page; parts that were not measured are left out."""
    parts = [
        "# Performance",
        "Written by `make bench` from `results/performance/`. It takes ml-1m and amazon-beauty-bert4rec in the folder "
        "that `GSREC_DATA` names, the peers that `make peers` installs, and wrk for the server.",
    ]
    if (path := folder / "side_by_side.json").exists():
        told = json.loads(path.read_text(encoding="utf-8"))
        rows, about = told["rows"], told["machine"]
        missing = ", ".join(f"{name} ({why})" for name, why in told["missing"].items())
        parts += [
            f"One core of {about['cores']} ({about['processor']}), one thread, {about['system']}, Python "
            f"{about['python']}, torch {about['torch']}; products of matrices run at {told['rates']['float32']:.0f} "
            f"GFLOP/s in float32 and {told['rates']['bfloat16']:.0f} in bfloat16. Each system in a process of its own, "
            f"one after the other; peers in the versions of `benchmarks/peers/`. Not measured: {missing}.",
            "What is trained and ranked side by side is SASRec, which every system has: width 64, 2 blocks, 1 head, "
            "dropout 0.2 and batches of 128, each user's newest 200 (ml-1m) or 50 (Beauty: amazon-beauty-bert4rec) "
            "events. This library takes products in bfloat16 where the processor is fast at it, as this one is; the "
            "peers take them in float32 unless they are told otherwise, and are not: bfloat16 alone made some 1.4 of "
            "the factor on ml-1m on another processor ([research log](research-log.md)). Goals are those that this "
            "project set itself before. An epoch is worked out from some of its steps. RecBole has a row a prefix, so "
            "that its epoch is longer for the same targets, and does not leave out what users had.",
            "## Against the best peer of each row",
            "\n".join(side_by_side(rows)),
            "### Where a goal is missed",
            WHY.read_text(encoding="utf-8").strip(),
            "## All systems",
            "\n".join(all_systems(rows)),
            "## Starting",
            "\n".join(imports(told["imports"])),
            "## How much of the core training uses",
            "Operations of the model's products, forward and backward, by time, against products of such shapes in "
            "bfloat16 by themselves.",
            "\n".join(share_of_the_product_rate(rows, told["rates"])),
        ]
    if (path := folder / "quality.json").exists():
        parts += ["## Time to quality", *quality(json.loads(path.read_text(encoding="utf-8")))]
    if (path := folder / "serving.json").exists():
        told = json.loads(path.read_text(encoding="utf-8"))
        parts += ["## The server under load", told["about"], "\n".join(serving(told))]
    if (path := folder / "index.json").exists():
        told = json.loads(path.read_text(encoding="utf-8"))
        parts += ["## An index of a million items", told["about"], "\n".join(index(told["rows"]))]
    if (path := folder / "latency.json").exists():
        told = json.loads(path.read_text(encoding="utf-8"))
        parts += ["## Sessions: an event in, ten items out", told["about"], "\n".join(latency(told["rows"]))]
    if (path := folder / "growth.json").exists():
        parts += [
            "## Growth",
            "Made-up logs, one core (`benchmarks/growth.py`).",
            "![Growth](../results/performance/growth.png)",
            "\n".join(growth(json.loads(path.read_text(encoding="utf-8")))),
        ]
    return "\n\n".join(parts) + "\n"


def quality(told: dict[str, Any]) -> list[str]:
    """Minutes until validation NDCG@10 passes a mark."""
    lines = ["| system | model | " + " | ".join(f"minutes to {mark}" for mark in told["marks"]) + " |"]
    lines += ["|---|---|" + "---:|" * len(told["marks"])]
    for one in told["systems"]:
        cells = [f"{one['minutes'][mark]:.1f}" if one["minutes"].get(mark) else "not reached" for mark in told["marks"]]
        lines.append(f"| {one['system']} | {one['model']} | " + " | ".join(cells) + " |")
    return [told["about"], "\n".join(lines)]


if __name__ == "__main__":
    write_text(Path(sys.argv[2]), page(Path(sys.argv[1])))
