"""RePlay's SasRec (the new one, `replay.nn`) in the benchmark; see `measure.py` for what is asked of a system.

Its batches come from a Parquet file of one row a user, and its trainer is Lightning's; both are used as its own guide
does. A single negative of its sampler is one for the whole of a batch, and not one for every target.
"""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from lightning import Callback, Trainer
from measure import BATCH_SIZE, DROPOUT, EMBEDDING_SIZE, NUM_BLOCKS, NUM_HEADS, Answer, Work, main
from replay.data import FeatureHint, FeatureSource, FeatureType
from replay.data.nn import ParquetModule, TensorFeatureInfo, TensorFeatureSource, TensorSchema
from replay.nn.lightning import LightningModule
from replay.nn.lightning.callback import TorchTopItemsCallback
from replay.nn.lightning.postprocessor import SeenItemsFilter
from replay.nn.loss import BCESampled
from replay.nn.sequential import SasRec
from replay.nn.transform import UniformNegativeSamplingTransform
from replay.nn.transform.template import make_default_sasrec_transforms

warnings.filterwarnings("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

QUIET = {
    "accelerator": "cpu",
    "devices": 1,
    "limit_val_batches": 0,
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}
PREDICTED_AT_ONCE = 256


class Clock(Callback):
    """Notes when steps end."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_batch_end(self, *_):
        self.times.append(time.perf_counter())


def histories_of(work: Work) -> pd.DataFrame:
    """One row a user: its items, numbered from 0, oldest first."""
    log = pd.read_csv(work.log)
    log["item_id"] = np.unique(log["item_id"], return_inverse=True)[1]
    histories = log.groupby("user_id", sort=False)["item_id"].agg(list).reset_index()
    return histories.assign(seen_ids=histories["item_id"])


def schema_of(histories: pd.DataFrame) -> TensorSchema:
    num_items = int(np.concatenate(histories["item_id"].to_numpy()).max()) + 1
    item = TensorFeatureInfo(
        "item_id",
        FeatureType.CATEGORICAL,
        is_seq=True,
        feature_hint=FeatureHint.ITEM_ID,
        feature_sources=[TensorFeatureSource(FeatureSource.INTERACTIONS, "item_id")],
        cardinality=num_items,
        padding_value=num_items,
        embedding_dim=EMBEDDING_SIZE,
    )
    return TensorSchema([item])


def model_of(work: Work, schema: TensorSchema) -> SasRec:
    return SasRec.from_params(
        schema,
        embedding_dim=EMBEDDING_SIZE,
        num_heads=NUM_HEADS,
        num_blocks=NUM_BLOCKS,
        max_sequence_length=work.length,
        dropout=DROPOUT,
    )


def train(work: Work) -> Answer:
    histories = histories_of(work)
    schema, clock = schema_of(histories), Clock()
    model, transforms = model_of(work, schema), make_default_sasrec_transforms(schema)["train"]
    num_items = schema["item_id"].cardinality
    if work.loss == "one-negative":
        model.loss = BCESampled()
        model.loss.logits_callback = model.get_logits
        transforms.insert(-1, UniformNegativeSamplingTransform(num_items, num_negative_samples=1))
    trainer = Trainer(max_epochs=1, limit_train_batches=work.warm_up + work.steps, callbacks=[clock], **QUIET)
    with tempfile.TemporaryDirectory() as folder:
        histories.to_parquet(path := str(Path(folder) / "histories.parquet"))
        row = {"item_id": {"shape": work.length + 1, "padding": num_items}}
        data = ParquetModule(BATCH_SIZE, {"train": row}, {"train": transforms}, train_path=path)
        trainer.fit(LightningModule(model), datamodule=data)
        a_step = (clock.times[-1] - clock.times[work.warm_up - 1]) / work.steps
        return Answer(seconds=a_step * len(data.train_dataloader()), timed_steps=work.steps)


def everyone(work: Work) -> Answer:
    """The histories are read from their Parquet file in this time, as its trainer does; what was seen is left out."""
    histories = histories_of(work)
    schema = schema_of(histories)
    num_items = schema["item_id"].cardinality
    best = TorchTopItemsCallback(10, "user_id", postprocessors=[SeenItemsFilter(num_items)])
    model, transforms = model_of(work, schema), make_default_sasrec_transforms(schema)["predict"]
    with tempfile.TemporaryDirectory() as folder:
        histories.to_parquet(path := str(Path(folder) / "histories.parquet"))
        row = {
            "user_id": {},
            "item_id": {"shape": work.length, "padding": num_items},
            "seen_ids": {"shape": int(histories["seen_ids"].str.len().max()), "padding": num_items},
        }
        data = ParquetModule(PREDICTED_AT_ONCE, {"predict": row}, {"predict": transforms}, predict_path=path)
        begin = time.perf_counter()
        Trainer(callbacks=[best], **QUIET).predict(LightningModule(model), datamodule=data, return_predictions=False)
        users, items, _ = best.get_result()
        spent = time.perf_counter() - begin
    assert users.tolist() == histories["user_id"].tolist()
    assert items.shape == (len(histories), 10)
    return Answer(seconds=spent)


def one(work: Work) -> Answer:
    """The bare model, which is the fastest way to it: no Lightning, no padding, items by their numbers."""
    histories = histories_of(work)
    model, spent = model_of(work, schema_of(histories)).eval(), []
    for user in np.random.default_rng(0).integers(0, len(histories), work.repeats):
        history = histories["item_id"][user]
        begin = time.perf_counter()
        with torch.inference_mode():
            items = torch.tensor([history])
            newest = items[:, -work.length :]
            scores = model({"item_id": newest}, torch.ones_like(newest, dtype=torch.bool))["logits"]
            found = scores.scatter_(1, items, -torch.inf).topk(10).indices.tolist()
        spent.append(time.perf_counter() - begin)
        assert len(found[0]) == 10
    return Answer(seconds=float(np.median(spent)))


if __name__ == "__main__":
    main({"train": train, "everyone": everyone, "one": one})
