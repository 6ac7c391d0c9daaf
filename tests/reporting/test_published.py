from collections.abc import Callable
from pathlib import Path

import pytest

from gsrec.errors import DataError
from gsrec.reporting.comparison import compare_runs
from gsrec.reporting.published import Published, published_beside, read_published, sources_told

from .conftest import WriteRun

MODELS = '[[published]]\nmodel = "LRURec"\ndata = "tiny"\nmetrics = { "NDCG@10" = 0.9 }\nsource = "a paper"\n'


def test_only_the_same_log_split_and_candidates_stand_beside_a_comparison(write_run: WriteRun) -> None:
    comparison = compare_runs([write_run("gsrec", [1, 2, 3])])
    fitting = Published(model="LRURec", data="tiny", metrics={"NDCG@10": 0.9}, source="a paper")
    others = [
        fitting.model_copy(update=change)
        for change in ({"data": "large"}, {"split": "temporal-0.8-0.9"}, {"candidates": "uniform:100"})
    ]
    assert published_beside(comparison, [*others, fitting]) == (fitting,)


def test_what_is_of_one_source_is_told_together() -> None:
    of_paper, of_another = (
        [Published(model=model, data="tiny", metrics={"NDCG@10": 0.9}, source=source) for model in models]
        for source, models in (("a paper", ("LRURec", "BSARec", "LRURec")), ("another", ("HSTU",)))
    )
    (told,) = sources_told([of_paper[0], *of_another, *of_paper[1:]])
    assert "candidates: LRURec and BSARec from a paper; HSTU from another. " in told
    assert sources_told([]) == ()


def test_a_file_of_published_numbers_is_read(tmp_path: Path) -> None:
    (tmp_path / "published.toml").write_text(MODELS, encoding="utf-8")
    (one,) = read_published(tmp_path / "published.toml")
    assert (one.label, one.split, one.candidates) == ("LRURec, published", "leave-one-out", "full")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace("source", "sauce"), r"published.0.source: Field required"),
        (lambda text: text.replace("0.9", '"high"'), r"published.0.metrics.NDCG@10: Input should be a valid number"),
        (lambda text: text.replace("[[published]]", "[published]"), r"published: Input should be a valid tuple"),
        (lambda text: text.replace("=", ":"), r"cannot read .*published.toml: Expected '='"),
        (lambda text: "", r"published: Field required"),
    ],
)
def test_a_file_that_is_none_of_published_numbers_is_told(
    tmp_path: Path, change: Callable[[str], str], told: str
) -> None:
    (tmp_path / "published.toml").write_text(change(MODELS), encoding="utf-8")
    with pytest.raises(DataError, match=told):
        read_published(tmp_path / "published.toml")


def test_a_missing_file_of_published_numbers_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read"):
        read_published(tmp_path / "published.toml")
