"""GSRec in the benchmark; see `measure.py` for what is asked of a system."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from measure import BATCH_SIZE, DROPOUT, EMBEDDING_SIZE, NUM_BLOCKS, Answer, Work, main

from gsrec import read_log
from gsrec.bundle import Bundle
from gsrec.data.sequences import Sequences
from gsrec.data.splits import Split, leave_one_out
from gsrec.evaluation.evaluator import Evaluator, Protocol
from gsrec.experiment.config import RunConfig
from gsrec.experiment.configure import run_config
from gsrec.experiment.prepare import batches_of
from gsrec.models import PopRec, SASRec, build_model
from gsrec.recommend.everyone import top_items
from gsrec.recommend.recommender import Recommender
from gsrec.training.course import Epoch, Keeping, Listener
from gsrec.training.trainer import fit
from gsrec.training.training import Training

LOSSES = {"softmax": "softmax", "one-negative": "sampled-bce"}


def train(work: Work) -> Answer:
    """Seconds an epoch of SASRec over each user's newest training events."""
    config = _config(work, f"loss={LOSSES[work.loss]}", "windows=newest", f"batch_size={BATCH_SIZE}")
    sequences = _sequences(work)
    split = Split(sequences, sequences.offsets[1:], sequences.offsets[1:])  # all of the log is to train on
    model = build_model(config.model, num_items=split.sequences.num_items, seed=1)
    assert isinstance(model, SASRec)
    batches = batches_of(split, config, model)
    training = Training(model, batches, config.training, seed=1)
    model.train()
    spent, done, whole = 0.0, 0, sum(rows.size for rows in batches.epoch(1))
    for step, rows in enumerate(batches.epoch(1)):
        begin = time.perf_counter()
        training.step(torch.from_numpy(rows))
        if step >= work.warm_up:
            spent, done = spent + time.perf_counter() - begin, done + rows.size
        if step + 1 >= work.warm_up + work.steps:
            break
    return Answer(seconds=spent * whole / done, timed_steps=work.steps)


def quality(work: Work) -> Answer:
    """Training until validation is good enough, with every default but the sizes."""
    sizes = [f"max_length={work.length}", f"embedding_size={EMBEDDING_SIZE}", f"batch_size={BATCH_SIZE}"]
    config = run_config(work.model, settings=(*sizes, f"dropout={DROPOUT}"))
    split = leave_one_out(read_log(Path(work.whole)).to_sequences())
    model = build_model(config.model, num_items=split.sequences.num_items, seed=1)
    assert not isinstance(model, PopRec)
    evaluator = Evaluator(split, Protocol("validation"))
    curve: list[tuple[float, float]] = []

    def on_epoch(epoch: Epoch) -> None:
        curve.append((epoch.seconds, (epoch.validation or {})["NDCG@10"]))
        if curve[-1][1] >= work.mark or epoch.seconds > work.minutes * 60:
            raise GoodEnoughError

    with TemporaryDirectory() as folder, suppress(GoodEnoughError):
        fit(
            model,
            batches_of(split, config, model),
            config.training,
            validate=lambda: evaluator.evaluate(model).metrics,
            keeping=Keeping(Path(folder)),
            listener=Listener(on_epoch=on_epoch),
        )
    return Answer(seconds=curve[-1][0], curve=curve)


class GoodEnoughError(Exception):
    """Ends a training."""


def everyone(work: Work) -> Answer:
    """Seconds for the ten best items of every user, what they had left out."""
    sequences, model = _sequences(work), _model(work)
    begin = time.perf_counter()
    items, _ = top_items(model, sequences, 10)
    assert items.shape == (sequences.num_users, 10)
    return Answer(seconds=time.perf_counter() - begin)


def one(work: Work) -> Answer:
    """Median seconds from one user's history, by item ids, to ten item ids."""
    sequences, model = _sequences(work), _model(work)
    config = _config(work)
    recommender = Recommender(Bundle.of(model, config.model, leave_one_out(sequences)))
    spent = []
    for user in np.random.default_rng(0).integers(0, sequences.num_users, work.repeats):
        history = sequences.vocabulary.decode(sequences.items[sequences.offsets[user] : sequences.offsets[user + 1]])
        begin = time.perf_counter()
        recommender.recommend(history, 10)
        spent.append(time.perf_counter() - begin)
    return Answer(seconds=float(np.median(spent)))


def _sequences(work: Work) -> Sequences:
    return read_log(Path(work.log)).to_sequences()


def _config(work: Work, *settings: str) -> RunConfig:
    sizes = (f"embedding_size={EMBEDDING_SIZE}", f"num_blocks={NUM_BLOCKS}", f"dropout={DROPOUT}")
    return run_config("sasrec", settings=(*sizes, f"max_length={work.length}", *settings))


def _model(work: Work) -> SASRec:
    model = build_model(_config(work).model, num_items=_sequences(work).num_items, seed=1)
    assert isinstance(model, SASRec)
    return model.eval()


if __name__ == "__main__":
    main({"train": train, "everyone": everyone, "one": one, "quality": quality})
