"""What a trained model costs where it is used: the time that one event of a session takes."""

from __future__ import annotations

import time
from statistics import median

from gsrec.bundle import Bundle
from gsrec.data.splits import Split
from gsrec.experiment.config import RunConfig
from gsrec.models import Model
from gsrec.recommend.recommender import Recommender

SESSIONS, EVENTS, BEFORE = 10, 20, 2_000
"""Users, from those with the fewest events to those with the most; how many newest events of each are measured,
and how many at most are taken in before these."""


def event_seconds(model: Model, config: RunConfig, split: Split) -> float:
    """The median time from an event's coming in to ten items' going out, with as many threads as there are now."""
    bundle = Bundle.of(model, config.model, split, settings=config.model_dump(mode="json"))
    recommender, sequences, spent = Recommender(bundle), split.sequences, list[float]()
    by_length = sequences.lengths.argsort(kind="stable")
    for user in by_length[:: -(-by_length.size // SESSIONS)].tolist():
        start, end = sequences.offsets[user : user + 2].tolist()
        newest = sequences.items[max(start, end - BEFORE - EVENTS) : end]
        item_ids = bundle.vocabulary.decode_list(newest.tolist())
        session = recommender.session()
        session.add(*item_ids[:-EVENTS])
        for item_id in item_ids[-EVENTS:]:
            begin = time.perf_counter()
            session.add(item_id)
            session.recommend(10)
            spent.append(time.perf_counter() - begin)
    return median(spent)
