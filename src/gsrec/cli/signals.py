"""Ctrl-C and SIGTERM end what a command does in order."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer


@contextmanager
def stopped_by_signals() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM came: what listens then ends in order. A second one ends the program at once."""
    told: list[int] = []

    def hear(number: int, frame: object) -> None:
        told.append(number)
        signal.signal(number, before[number])
        typer.echo("stopping after this step ...", err=True)

    before = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in before:
            signal.signal(number, hear)
        yield lambda: bool(told)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
