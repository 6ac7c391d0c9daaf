"""The item index: exact scores and the house's order, whatever finds the candidates; and nothing unchecked is read.

Legend: B queries, V items, D hidden, K best items.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gsrec.errors import BundleError, ConfigError, DataError, MissingExtraError
from gsrec.ranking import mask_seen, top_k
from gsrec.recommend import index as index_module
from gsrec.recommend import index_files
from gsrec.recommend.index import ItemIndex, build_index
from gsrec.recommend.index_files import CODES, INDEX_FACTS, load_index, save_index

NUM_ITEMS, SIZE = 12_000, 16


def clustered(num_items: int = NUM_ITEMS, size: int = SIZE) -> tuple[Tensor, Tensor, Tensor]:
    """Weights (V + 1, D), bias (V + 1,) and queries (300, D), as trained ones lie."""
    generator = torch.Generator().manual_seed(4)
    centres = torch.randn(50, size, generator=generator)
    weights = centres[torch.randint(50, (num_items + 1,), generator=generator)]
    weights = weights + 0.5 * torch.randn(num_items + 1, size, generator=generator)
    weights[0] = 0
    queries = weights[torch.randint(1, num_items, (300,), generator=generator)]
    return (
        weights,
        torch.randn(num_items + 1, generator=generator),
        queries + 0.5 * torch.randn(300, size, generator=generator),
    )


WEIGHTS, BIAS, QUERIES = clustered()


def expected(hidden: Tensor, bias: Tensor | None, k: int, barred: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The best items out of all scores at once."""
    scores = hidden @ WEIGHTS.T + (0 if bias is None else bias)
    mask_seen(scores, torch.zeros(len(hidden), 0, dtype=torch.int64) if barred is None else barred)
    return top_k(scores, k)


@pytest.fixture(scope="module")
def built() -> ItemIndex:
    return build_index(WEIGHTS, None, QUERIES)


@pytest.fixture(scope="module")
def biased() -> ItemIndex:
    return build_index(WEIGHTS, BIAS, QUERIES, recall=0.9)


def test_an_exact_index_scores_all_items_in_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "MEMORY_BUDGET", 3 * 4 * (NUM_ITEMS + 1))
    found = ItemIndex(WEIGHTS, BIAS).search(QUERIES[:10], 7)
    torch.testing.assert_close(found, expected(QUERIES[:10], BIAS, 7))


@pytest.mark.parametrize("bias", [None, BIAS])
def test_the_recall_is_as_measured_and_scores_are_exact(
    bias: Tensor | None, built: ItemIndex, biased: ItemIndex
) -> None:
    index = built if bias is None else biased
    assert index.codes is not None
    assert index.recall >= (0.95 if bias is None else 0.9)
    scores, items = index.search(QUERIES, 10)
    best = expected(QUERIES, bias, 10)[1]
    assert float((best[:, :, None] == items[:, None]).any(2).float().mean()) == pytest.approx(index.recall, abs=1e-6)
    of_items = (WEIGHTS[items] * QUERIES[:, None]).sum(2) + (0 if bias is None else bias[items])
    torch.testing.assert_close(scores, of_items)
    assert bool((scores[:, :-1] >= scores[:, 1:]).all())


@settings(max_examples=25)
@given(k=st.integers(1, 30), num_barred=st.integers(0, 60), seed=st.integers(0, 99))
def test_barred_items_are_left_out_and_others_take_their_place(
    built: ItemIndex, k: int, num_barred: int, seed: int
) -> None:
    queries = QUERIES[seed : seed + 3]
    barred = expected(queries, None, num_barred)[1] if num_barred else torch.zeros(3, 0, dtype=torch.int64)
    barred[:, 1::4] = 0
    scores, items = built.search(queries, k, barred)
    assert items.shape == scores.shape == (3, k)
    assert bool((items > 0).all())
    assert not bool((items[:, :, None] == barred[:, None]).any())
    best = expected(queries, None, k, barred)[1]
    assert float((best[:, :, None] == items[:, None]).any(2).float().mean()) >= 0.7


def test_of_equal_scores_the_lower_item_comes_first() -> None:
    weights = torch.zeros(NUM_ITEMS + 1, SIZE)
    weights[1:] = torch.arange(NUM_ITEMS)[:, None] // 40  # forty alike
    index = build_index(weights, None, torch.ones(1, SIZE), recall=0.0)
    assert index.codes is not None
    items = index.search(torch.ones(1, SIZE), 12)[1][0].tolist()
    assert items == sorted(items)
    assert len(set(items)) == 12


def test_where_too_much_is_asked_for_all_items_are_scored(built: ItemIndex) -> None:
    torch.testing.assert_close(built.search(QUERIES[:2], 11_000), expected(QUERIES[:2], None, 11_000))
    barred = torch.arange(1, NUM_ITEMS)[None]
    scores, items = built.search(QUERIES[:1], 3, barred)
    assert items.tolist() == [[NUM_ITEMS, 0, 0]]
    assert scores[0, 1:].tolist() == [-torch.inf, -torch.inf]


def test_a_query_for_which_faiss_finds_nothing_is_scored_exactly(built: ItemIndex) -> None:
    queries = torch.zeros(2, SIZE)
    barred = torch.tensor([[1, 0], [2, 3]])
    torch.testing.assert_close(built.search(queries, 3, barred), expected(queries, None, 3, barred))


def test_batches_are_searched_in_tiles(built: ItemIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = built.search(QUERIES[:20], 5)
    monkeypatch.setattr(index_module, "MEMORY_BUDGET", 1)
    torch.testing.assert_close(built.search(QUERIES[:20], 5), whole)


def test_it_is_exact_where_compression_finds_too_few_or_there_is_little() -> None:
    assert build_index(WEIGHTS, None, QUERIES[:20], recall=1.1).codes is None
    few = build_index(WEIGHTS[:100], BIAS[:100], QUERIES)
    assert (few.codes, few.recall, few.num_items) == (None, 1.0, 99)


def test_what_is_asked_wrongly_is_told(built: ItemIndex) -> None:
    with pytest.raises(ConfigError, match="k must be a whole number of at least 1, found 0"):
        built.search(QUERIES[:1], 0)
    with pytest.raises(ConfigError, match="no queries to measure an index by"):
        build_index(WEIGHTS, None, QUERIES[:0])
    with pytest.raises(ConfigError, match="the items' weights must be finite, found NaN or infinity"):
        build_index(WEIGHTS.log(), None, QUERIES)
    with pytest.raises(ConfigError, match="the items' bias must be finite"):
        build_index(WEIGHTS, torch.full_like(BIAS, -torch.inf), QUERIES)


def test_a_saved_index_finds_the_same(built: ItemIndex, biased: ItemIndex, tmp_path: Path) -> None:
    for index, bias in ((built, None), (biased, BIAS), (ItemIndex(WEIGHTS, BIAS), BIAS)):
        save_index(index, tmp_path, "shop")
        again = load_index(tmp_path, WEIGHTS, bias, "shop")
        assert (again.recall, again.candidates, again.half_bytes) == (index.recall, index.candidates, index.half_bytes)
        torch.testing.assert_close(again.search(QUERIES, 10), index.search(QUERIES, 10))


def test_what_is_not_as_it_was_saved_is_refused_before_faiss_reads_it(
    built: ItemIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_index(built, tmp_path, "shop")
    monkeypatch.setattr(index_files, "needed", lambda module: pytest.fail("faiss was given a damaged file"))
    with pytest.raises(BundleError, match="is the index of another model than this one"):
        load_index(tmp_path, WEIGHTS, None, "another")
    codes = (tmp_path / CODES).read_bytes()
    (tmp_path / CODES).write_bytes(codes[:500] + b"?" + codes[501:])
    with pytest.raises(BundleError, match=r"codes\.faiss does not match its checksum. Build it again"):
        load_index(tmp_path, WEIGHTS, None, "shop")
    (tmp_path / CODES).unlink()
    with pytest.raises(BundleError, match=r"codes\.faiss cannot be read"):
        load_index(tmp_path, WEIGHTS, None, "shop")
    (tmp_path / INDEX_FACTS).write_text('{"format": 1}')
    with pytest.raises(BundleError, match=r"index\.json is damaged: format: Input should be 2"):
        load_index(tmp_path, WEIGHTS, None, "shop")
    with pytest.raises(BundleError, match="holds no index"):
        load_index(tmp_path / "nowhere", WEIGHTS, None, "shop")


def test_a_folder_that_cannot_be_written_is_told(built: ItemIndex, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot write"):
        save_index(built, tmp_path / "file" / "index", "shop")


def test_without_faiss_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gsrec.extras.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"faiss-cpu is not installed.*gsrec\[ann\]"):
        build_index(WEIGHTS, None, QUERIES[:5])
