"""The best items for every user of a log, as fast as they can be had.

Legend: U users, K recommendations.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import torch

from gsrec.bundle import Bundle
from gsrec.data.log import InteractionLog
from gsrec.data.sequences import Sequences
from gsrec.errors import ConfigError, DataError
from gsrec.files import replacing
from gsrec.models.protocols import Scorer
from gsrec.places import check_file
from gsrec.progress import Progress
from gsrec.ranking import MEMORY_BUDGET, check_k, score_histories, tiles
from gsrec.recommend.rules import NO_RULES, ItemRules, Rules, rows_of_counts


@torch.inference_mode()
def top_items(
    scorer: Scorer,
    sequences: Sequences,
    k: int,
    *,
    filter_seen: bool = True,
    rules: ItemRules = NO_RULES,
    memory_budget: int = MEMORY_BUDGET,
    progress: Progress | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The K items most likely to come after the whole history of every user.

    Args:
        scorer: gives the scores.
        sequences: the histories.
        k: how many items.
        filter_seen: leave out the items of a user's history.
        rules: what else may not be recommended, or rather.
        memory_budget: bytes that scores may take at a time.
        progress: told after every tile how many users are done, and of how many.

    Returns:
        Items (U, K) int32, best first, 0 where there are fewer; and their scores (U, K) float32.

    Raises:
        ConfigError: if k is not positive.
        DataError: if the scorer knows another number of items.
    """
    check_k(k)
    if scorer.num_items != sequences.num_items:
        raise DataError(
            f"the model knows {scorer.num_items:,} items and the log holds {sequences.num_items:,}. "
            "Read the log with the model's own vocabulary."
        )
    items = np.zeros((sequences.num_users, k), dtype=np.int32)
    scores = np.full((sequences.num_users, k), -np.inf, dtype=np.float32)
    done = 0
    for users in tiles(
        sequences.lengths, num_items=scorer.num_items, max_length=scorer.max_length, memory_budget=memory_budget
    ):
        all_scores = score_histories(
            scorer.score,
            sequences.items,
            sequences.offsets[:-1][users],
            sequences.offsets[1:][users],
            max_length=scorer.max_length,
            filter_seen=filter_seen,
        )
        best, best_items = rules.best(all_scores, k, rows_of_counts(scorer, [False] * users.size))
        items[users], scores[users] = best_items.cpu().numpy(), best.cpu().numpy()
        done += users.size
        if progress is not None:
            progress(done, sequences.num_users)
    return items, scores


def recommend_users(
    bundle: Bundle,
    log: InteractionLog,
    k: int = 10,
    *,
    filter_seen: bool | None = None,
    rules: Rules | None = None,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """The K items most likely to come next for every user of a log.

    Args:
        bundle: the model.
        log: who took what; left out is what did not count in training, and items that the model does not know.
        k: how many items.
        filter_seen: leave out the items of a user's history; None: as the model was judged.
        rules: what else may not be recommended, or rather; None: nothing.
        progress: told after every tile how many users are done, and of how many.

    Returns:
        A row a user and place: `user_id`, `rank` (from 1), `item_id`, `score`. Users without any item that the model
        knows have no rows.

    Raises:
        ConfigError: if k is not positive, or the rules leave no item that the model knows.
        DataError: if the model knows no item of the log.
    """
    sequences = bundle.known_events(log).to_sequences(bundle.vocabulary)
    filter_seen, k = bundle.filters_seen(filter_seen), min(k, len(bundle.vocabulary))
    of_items = rules.for_vocabulary(bundle.vocabulary) if rules else NO_RULES
    items, scores = top_items(bundle.model, sequences, k, filter_seen=filter_seen, rules=of_items, progress=progress)
    real = items > 0  # (U, K)
    users, places = np.nonzero(real)
    return pl.DataFrame(
        {
            "user_id": sequences.user_ids.gather(users),
            "rank": (places + 1).astype(np.int32),
            "item_id": bundle.vocabulary.ids.gather(items[real] - 1),
            "score": scores[real],
        }
    )


def check_table(path: Path) -> None:
    """Make sure that a path names a table that can be written, before anything is computed for it.

    Raises:
        ConfigError: if it ends with neither `.parquet` nor `.csv`.
        DataError: if it is a folder, or lies in one that cannot be written to.
    """
    if path.suffix not in (".parquet", ".csv"):
        raise ConfigError(f"{path}: recommendations are written as .parquet or .csv. Give a name that ends so.")
    check_file(path)


def write_recommendations(frame: pl.DataFrame, path: Path) -> None:
    """Write what `recommend_users` gave as Parquet or CSV, as the path ends; whole or not at all.

    Raises:
        ConfigError: if it ends otherwise.
        DataError: if the disk does not take it.
    """
    check_table(path)
    with replacing(path) as new:
        try:
            if path.suffix == ".parquet":
                frame.write_parquet(new)
            else:
                frame.write_csv(new)
        except pl.exceptions.PolarsError as error:  # so it calls a full disk
            raise DataError(f"cannot write {path}: {error}. What was there before is unchanged.") from error
