"""Which settings models that are compared do not share, so that a reader sees what else a difference may come from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from gsrec.reporting.results import RunResult

SECTIONS = ("model", "training")


def set_differently(groups: Mapping[str, Sequence[RunResult]]) -> str:
    """A sentence on every setting that two models have and that is not the same for all; empty if there is none.

    Models that only count have no say: their settings of training mean nothing. Of each setting, the value that most
    models have comes last.

    Args:
        groups: the runs of every label.
    """
    trained = {label: runs[0].config for label, runs in groups.items() if runs[0].history}
    told = [
        f"`{key}` {_shares(holders)}"
        for key, holders in _holders(trained).items()
        if len(holders) > 1 and key != "name"
    ]
    return f"Not set alike for all that have it: {'; '.join(told)}." if told else ""


def _holders(configs: Mapping[str, Mapping[str, JsonValue]]) -> dict[str, dict[str, list[str]]]:
    """The labels that have each value of each setting."""
    holders: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for label, config in configs.items():
        for section in SECTIONS:
            values = config.get(section)
            for key, value in values.items() if isinstance(values, dict) else ():
                holders[key][f"{value:g}" if isinstance(value, float) else str(value)].append(label)
    return holders


def _shares(holders: Mapping[str, Sequence[str]]) -> str:
    """The values and who has them, that of most models last and without their names."""
    *fewer, most = sorted(holders, key=lambda value: len(holders[value]))
    told = [f"{value} ({', '.join(holders[value])})" for value in fewer]
    return f"{', '.join(told)}, else {most}"
