import polars as pl

from gsrec.data.table import Table


def test_only_the_wanted_columns_are_read_and_only_integers_are_cast() -> None:
    rows = pl.LazyFrame({"a": ["1", "2"], "b": ["1", "02"], "c": ["1", None], "d": ["x", "y"]})
    table = Table(rows, "log.csv", text=True)
    assert table.columns() == ["a", "b", "c", "d"]
    assert table.collect(["c", "b", "a"]).schema == {"c": pl.Int64, "b": pl.String, "a": pl.Int64}
    assert Table(rows, "frame").collect(["a"]).schema == {"a": pl.String}
