"""RecTools' SASRec in the benchmark; see `measure.py` for what is asked of a system."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pandas as pd
from measure import BATCH_SIZE, DROPOUT, EMBEDDING_SIZE, NUM_BLOCKS, NUM_HEADS, Answer, Work, main
from pytorch_lightning import Callback, Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

warnings.filterwarnings("ignore")

LOSSES = {"softmax": "softmax", "one-negative": "sampled_softmax"}
TIMES: list[float] = []
STEPS_AN_EPOCH: list[int] = []


class Clock(Callback):
    """Notes when steps end; the lists are the module's, since RecTools copies its trainer."""

    def on_train_batch_end(self, trainer, *_):
        TIMES.append(time.perf_counter())
        STEPS_AN_EPOCH[:] = [len(trainer.train_dataloader)]


def dataset_of(work: Work) -> Dataset:
    log = pd.read_csv(work.log).rename(columns={"user_id": Columns.User, "item_id": Columns.Item})
    log[Columns.Datetime] = pd.to_datetime(log.pop("position"), unit="s")
    log[Columns.Weight] = 1.0
    return Dataset.construct(log)


def model_of(work: Work, steps: int | None) -> SASRecModel:
    def trainer() -> Trainer:
        return Trainer(
            max_epochs=1,
            limit_train_batches=steps,
            accelerator="cpu",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[Clock()],
        )

    return SASRecModel(
        n_blocks=NUM_BLOCKS,
        n_heads=NUM_HEADS,
        n_factors=EMBEDDING_SIZE,
        dropout_rate=DROPOUT,
        session_max_len=work.length,
        batch_size=BATCH_SIZE,
        loss=LOSSES[work.loss],
        n_negatives=1,
        get_trainer_func=trainer,
    )


def train(work: Work) -> Answer:
    model_of(work, work.warm_up + work.steps).fit(dataset_of(work))
    a_step = (TIMES[-1] - TIMES[work.warm_up - 1]) / work.steps
    return Answer(seconds=a_step * STEPS_AN_EPOCH[0], timed_steps=work.steps)


def quality(work: Work) -> Answer:
    """Training epoch by epoch until validation is good enough."""
    dataset, model = dataset_of(work), model_of(work, None)
    last = pd.read_csv(work.whole).sort_values(["user_id", "position"]).groupby("user_id").tail(2)
    targets = last.groupby("user_id").head(1).set_index("user_id")["item_id"]
    users = [user for user in targets.index if user in set(dataset.user_id_map.external_ids)]
    curve, spent = [], 0.0
    while spent < work.minutes * 60 and (not curve or curve[-1][1] < work.mark):
        begin = time.perf_counter()
        model.fit_partial(dataset, min_epochs=1, max_epochs=1)
        spent += time.perf_counter() - begin
        found = model.recommend(users=users, dataset=dataset, k=10, filter_viewed=True)
        hits = found[found[Columns.Item] == found[Columns.User].map(targets)]
        curve.append((spent, float((1 / np.log2(hits[Columns.Rank] + 1)).sum() / len(targets))))
    return Answer(seconds=spent, curve=curve)


def fitted(work: Work) -> tuple[SASRecModel, Dataset]:
    dataset = dataset_of(work)
    return model_of(work, 1).fit(dataset), dataset


def everyone(work: Work) -> Answer:
    model, dataset = fitted(work)
    users = dataset.user_id_map.external_ids
    begin = time.perf_counter()
    found = model.recommend(users=users, dataset=dataset, k=10, filter_viewed=True)
    assert len(found) == 10 * len(users)
    return Answer(seconds=time.perf_counter() - begin)


def one(work: Work) -> Answer:
    model, dataset = fitted(work)
    spent = []
    for user in np.random.default_rng(0).choice(dataset.user_id_map.external_ids, work.repeats):
        begin = time.perf_counter()
        model.recommend(users=[user], dataset=dataset, k=10, filter_viewed=True)
        spent.append(time.perf_counter() - begin)
    return Answer(seconds=float(np.median(spent)))


if __name__ == "__main__":
    main({"train": train, "everyone": everyone, "one": one, "quality": quality})
