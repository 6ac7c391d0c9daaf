"""RecBole's SASRec in the benchmark; see `measure.py` for what is asked of a system.

It learns from one row a target: the events before it, padded to the whole length. An epoch is hence of as many rows as
there are targets, and all rows are kept in memory. Its ranking of all items does not leave out what was seen.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from measure import BATCH_SIZE, DROPOUT, EMBEDDING_SIZE, NUM_BLOCKS, NUM_HEADS, Answer, Work, main
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.data.dataloader import FullSortEvalDataLoader, TrainDataLoader
from recbole.model.sequential_recommender import SASRec
from recbole.utils import init_seed
from recbole.utils.case_study import full_sort_topk

warnings.filterwarnings("ignore")

LOSSES = {
    "softmax": {"loss_type": "CE", "train_neg_sample_args": None},
    "one-negative": {"loss_type": "BPR", "train_neg_sample_args": {"distribution": "uniform", "sample_num": 1}},
}
RANKED_AT_ONCE = 256


def write_log(work: Work, folder: Path) -> None:
    """RecBole keeps the last event of every user from training; one more of each is written for it to keep."""
    log = pd.read_csv(work.log)
    last = log.groupby("user_id").tail(1)
    log = pd.concat([log, last.assign(position=last["position"] + 1)])
    log.columns = ["user_id:token", "item_id:token", "timestamp:float"]
    folder.mkdir()
    log.to_csv(folder / "log.inter", sep="\t", index=False)


def loaded(work: Work) -> tuple[SASRec, TrainDataLoader, FullSortEvalDataLoader]:
    """A model, rows to train on, and a row for every user: all of its events."""
    with tempfile.TemporaryDirectory() as folder:
        write_log(work, Path(folder) / "log")
        settings = {
            "data_path": folder,
            "checkpoint_dir": folder,
            "use_gpu": False,
            "show_progress": False,
            "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
            "eval_args": {"split": {"LS": "test_only"}, "order": "TO", "group_by": "user", "mode": "full"},
            "MAX_ITEM_LIST_LENGTH": work.length,
            "train_batch_size": BATCH_SIZE,
            "eval_batch_size": RANKED_AT_ONCE,
            "hidden_size": EMBEDDING_SIZE,
            "inner_size": EMBEDDING_SIZE,
            "n_layers": NUM_BLOCKS,
            "n_heads": NUM_HEADS,
            "hidden_dropout_prob": DROPOUT,
            "attn_dropout_prob": DROPOUT,
            **LOSSES[work.loss],
        }
        config = Config(model="SASRec", dataset="log", config_dict=settings)
        init_seed(config["seed"], config["reproducibility"])
        train_rows, _, user_rows = data_preparation(config, create_dataset(config))
    return SASRec(config, train_rows.dataset), train_rows, user_rows


def train(work: Work) -> Answer:
    """The steps are those of RecBole's trainer, which cannot be told to stop in an epoch."""
    model, rows, _ = loaded(work)
    optimizer, ends = torch.optim.Adam(model.parameters(), lr=0.001), []
    model.train()
    for batch in rows:
        optimizer.zero_grad()
        loss = model.calculate_loss(batch)
        assert not torch.isnan(loss)
        loss.backward()
        optimizer.step()
        ends.append(time.perf_counter())
        if len(ends) == work.warm_up + work.steps:
            break
    a_step = (ends[-1] - ends[work.warm_up - 1]) / work.steps
    return Answer(seconds=a_step * len(rows), timed_steps=work.steps)


def everyone(work: Work) -> Answer:
    """Of all items, with what was seen among them."""
    model, _, users = loaded(work)
    model.eval()
    begin, found = time.perf_counter(), []
    with torch.no_grad():
        for batch, *_ in users:
            scores = model.full_sort_predict(batch)
            scores[:, 0] = -np.inf  # the padding
            found.append(scores.topk(10).indices)
    spent = time.perf_counter() - begin
    assert torch.cat(found).shape == (len(users.dataset), 10)
    return Answer(seconds=spent)


def one(work: Work) -> Answer:
    """RecBole's own way from a user, whose history it has in memory, to items, with what was seen among them."""
    model, _, users = loaded(work)
    model.eval()
    spent = []
    for user in np.random.default_rng(0).choice(users.dataset.inter_feat["user_id"].numpy(), work.repeats):
        begin = time.perf_counter()
        _, found = full_sort_topk([user], model, users, 10)
        spent.append(time.perf_counter() - begin)
        assert found.shape == (1, 10)
    return Answer(seconds=float(np.median(spent)))


if __name__ == "__main__":
    main({"train": train, "everyone": everyone, "one": one})
