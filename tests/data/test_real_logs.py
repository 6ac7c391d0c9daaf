"""Real logs, where GSREC_DATA has them, are read as they were published."""

from pathlib import Path

import polars as pl
import pytest

from gsrec.data import describe, leave_one_out, open_log

SIZES = [
    ("ml-1m", 6_040, 3_416, 999_611, "position"),
    ("ml-100k", 943, 1_682, 100_000, "clock"),
    ("amazon-beauty-5core", 22_363, 12_101, 198_502, "clock"),
    ("amazon-beauty-bert4rec", 40_226, 54_542, 353_962, "position"),
]


@pytest.mark.parametrize(("name", "num_users", "num_items", "num_interactions", "time_kind"), SIZES)
def test_sizes_are_those_published(
    name: str, num_users: int, num_items: int, num_interactions: int, time_kind: str, real_data: Path
) -> None:
    log = open_log(name)
    assert (log.num_users, log.num_items, log.num_interactions) == (num_users, num_items, num_interactions)
    assert log.time_kind == time_kind
    assert len(leave_one_out(log.to_sequences()).targets("test")) == num_users


@pytest.mark.parametrize(
    ("name", "file", "separator"),
    [("ml-100k", "ml-100k.inter.gz", "\t"), ("amazon-beauty-5core", "amazon-beauty-5core.csv.gz", ",")],
)
def test_ties_keep_the_order_of_the_file(name: str, file: str, separator: str, real_data: Path) -> None:
    rows = pl.read_csv(real_data / file, separator=separator).rows()
    expected = sorted(((row[0], row[1], int(row[-1])) for row in rows), key=lambda row: (row[0], row[2]))
    log = open_log(name)
    assert log.frame.rows() == expected
    assert describe(log).num_time_ties > 10_000


def test_positions_count_on_in_every_history(real_data: Path) -> None:
    frame = open_log("ml-1m").frame
    assert frame.select((pl.col("time") == pl.int_range(1, pl.len() + 1).over("user_id")).all()).item()


def test_a_k_core_is_one_already(real_data: Path) -> None:
    log = open_log("amazon-beauty-5core")
    core = log.filtered(min_user_interactions=5, min_item_interactions=5, k_core=True)
    assert core.num_interactions >= 0.99 * log.num_interactions
