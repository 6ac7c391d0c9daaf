import pytest

from gsrec.reporting.thesis_numbers import DATASETS, TABLE_5_1, THESIS_METRICS, THESIS_MODELS, THESIS_SIZES


def test_the_table_is_whole() -> None:
    assert set(TABLE_5_1) == set(THESIS_SIZES) == set(DATASETS.values())
    for rows in TABLE_5_1.values():
        assert tuple(rows) == THESIS_METRICS
        assert all(tuple(row) == tuple(THESIS_MODELS) for row in rows.values())


@pytest.mark.parametrize(
    ("data", "metric", "model", "value"),
    [
        ("Beauty", "HR@10", "GSRec", 0.2357),
        ("Beauty", "NDCG@10", "BERT4Rec", 0.1773),
        ("ML-1M", "HR@10", "SASRec", 0.6429),
        ("ML-1M", "MRR", "POP", 0.0459),
        ("ML-1M", "NDCG@5", "GRU4Rec", 0.3058),
    ],
)
def test_numbers_are_those_that_the_text_quotes_or_the_table_prints(
    data: str, metric: str, model: str, value: float
) -> None:
    assert TABLE_5_1[data][metric][model] == value


def test_sizes_give_the_means_that_the_thesis_tells() -> None:
    assert THESIS_SIZES["Beauty"].mean_length == pytest.approx(7.6, abs=0.05)
    assert THESIS_SIZES["ML-1M"].mean_length == pytest.approx(165, abs=1)
    assert THESIS_SIZES["ML-1M"].density == pytest.approx(1_000_209 / 6_040 / 3_952)
