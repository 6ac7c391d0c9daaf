from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gsrec.models import build_model
from gsrec.models.neighbours import mutual_information, near_pairs, neighbour_vectors, start_from_neighbours
from gsrec.models.sasrec import SASRecConfig

GROUPS = ((1, 2, 3, 4), (5, 6, 7, 8))
"""Items that are taken together."""


Histories = tuple[np.ndarray, np.ndarray]
"""Items and lengths."""


def flat(*of_users: list[int]) -> Histories:
    items = [item for of_user in of_users for item in of_user]
    return np.array(items, dtype=np.int32), np.array([len(of_user) for of_user in of_users], dtype=np.int64)


def histories(many: int = 200, *, apart: int = 1) -> Histories:
    generator = np.random.default_rng(1)
    return flat(*[generator.permutation(GROUPS[number % 2]).tolist() for number in range(many)][::apart])


def test_pairs_stay_within_a_history_and_within_reach() -> None:
    earlier, later, distances = near_pairs(*flat([1, 2, 3, 4, 5], [6], [7, 8]))
    found = set(zip(earlier.tolist(), later.tolist(), distances.tolist(), strict=True))
    assert found == {(i, j, j - i) for i in range(1, 6) for j in range(i + 1, 6) if j - i <= 3} | {(7, 8, 1)}


def test_pairs_of_some_items_have_one_of_them() -> None:
    given = flat([1, 6, 2, 3, 4, 5], [7, 1])
    pairs = [
        set(zip(*map(np.ndarray.tolist, near_pairs(*given, of=of)), strict=True)) for of in (None, np.arange(8) > 5)
    ]
    assert (
        pairs[1]
        == {pair for pair in pairs[0] if max(pair[:2]) > 5}
        == {(1, 6, 1), (6, 2, 1), (6, 3, 2), (6, 4, 3), (7, 1, 1)}
    )


@pytest.mark.parametrize("of_users", [flat(), flat([3]), flat([])])
def test_without_pairs_there_is_nothing(of_users: Histories) -> None:
    assert [found.size for found in near_pairs(*of_users)] == [0, 0, 0]
    assert not neighbour_vectors(*of_users, num_items=4, size=2).any()


def test_mutual_information_by_hand() -> None:
    scores = mutual_information(*flat([1, 2, 1], [1, 3]), 3).to_dense()
    counts = {(1, 2): 2.0, (1, 3): 1.0}  # the two 1s are no neighbours of each other
    of_item = {1: 3.0, 2: 2.0, 3: 1.0}
    total = sum(count**0.75 for count in of_item.values())
    for (one, other), count in counts.items():
        for row, column in ((one, other), (other, one)):
            expected = max(0.0, math.log(count * total / (of_item[row] * of_item[column] ** 0.75)))
            assert float(scores[row, column]) == pytest.approx(expected, rel=1e-5)
    assert float(scores[0].sum()) == float(scores[2, 3]) == float(scores[1, 1]) == 0


def test_items_that_are_taken_together_begin_alike_and_lengths_stay() -> None:
    model = build_model(SASRecConfig(embedding_size=6, max_length=4), num_items=9, seed=1)
    before = model.state_dict()["items.weight"].clone()
    others = {name: values.clone() for name, values in model.state_dict().items() if name != "items.weight"}
    start_from_neighbours(model, *histories(), num_items=9)
    after = model.state_dict()["items.weight"]
    alike = torch.nn.functional.normalize(after[1:9]) @ torch.nn.functional.normalize(after[1:9]).T
    same = torch.tensor([[any({i, j} <= set(group) for group in GROUPS) for j in range(1, 9)] for i in range(1, 9)])
    assert float(alike[same & ~torch.eye(8, dtype=torch.bool)].mean()) > float(alike[~same].abs().max()) + 0.2
    torch.testing.assert_close(after[1:9].norm(dim=1), before[1:].norm(dim=1).mean().expand(8))
    torch.testing.assert_close(after[[0, 9]], before[[0, 9]])  # padding, and an item without neighbours
    for name, values in others.items():
        torch.testing.assert_close(model.state_dict()[name], values, rtol=0, atol=0)


def test_products_of_all_directions_are_the_mutual_information_without_its_signs() -> None:
    scores = mutual_information(*histories(), num_items=8).to_dense().double()
    vectors = neighbour_vectors(*histories(), num_items=8, size=8).double()
    products = vectors @ vectors.T  # of a symmetric matrix: its eigenvalues' sizes, its own directions
    torch.testing.assert_close(products @ products, scores @ scores, atol=0.05, rtol=0.02)


def test_the_same_seed_gives_the_same_bits() -> None:
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    one, same, other = (neighbour_vectors(*histories(), num_items=8, size=4, seed=seed) for seed in (5, 5, 6))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    torch.testing.assert_close(one @ one.T, other @ other.T, atol=1e-4, rtol=1e-3)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_of_a_long_log_some_histories_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gsrec.models.neighbours.MOST_EVENTS", 100)
    few = neighbour_vectors(*histories(500), num_items=8, size=4)
    assert torch.equal(few, neighbour_vectors(*histories(500, apart=20), num_items=8, size=4))
