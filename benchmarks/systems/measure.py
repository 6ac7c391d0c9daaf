"""What is asked of every system, and how the answer is given. It needs nothing but Python, so that all can use it."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

EMBEDDING_SIZE, NUM_BLOCKS, NUM_HEADS, DROPOUT, BATCH_SIZE = 64, 2, 1, 0.2, 128


@dataclass(frozen=True)
class Work:
    """One thing to measure.

    Attributes:
        kind: train, everyone, one or quality.
        log: a CSV file with the columns user_id, item_id and position, oldest first.
        whole: of quality, the same log with two more events a user, of which the first is what validation asks for.
        length: the newest events a model looks at.
        loss: softmax or one-negative, of training.
        warm_up: steps before time is taken.
        steps: steps of which the time is taken; an epoch is worked out from them.
        repeats: of one.
        mark: of quality, the validation NDCG@10 at which training ends.
        minutes: of quality, after so much training it ends all the same.
        model: of quality, where a system has several.
    """

    kind: str
    log: str
    length: int
    loss: str = "softmax"
    warm_up: int = 2
    steps: int = 20
    repeats: int = 200
    whole: str = ""
    mark: float = 0.17
    minutes: float = 40.0
    model: str = "sasrec"


@dataclass(frozen=True)
class Answer:
    """What was measured.

    Attributes:
        seconds: of an epoch, of all users, of one user, or of all training.
        timed_steps: of training.
        curve: of quality, seconds of training and validation NDCG@10 after every epoch.
    """

    seconds: float
    timed_steps: int = 0
    curve: list[tuple[float, float]] = field(default_factory=list)


def main(kinds: Mapping[str, Callable[[Work], Answer]]) -> None:
    """Do the work given as JSON in the first argument; the answer is the last line of stdout."""
    work = Work(**json.loads(sys.argv[1]))
    answer = kinds[work.kind](work)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print("\n" + json.dumps({**asdict(answer), "peak_bytes": peak}), flush=True)
