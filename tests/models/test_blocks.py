"""The parts by themselves. What they compute is checked in `tests/parity`.

Legend: B batch, L length, D hidden.
"""

import pytest
import torch

from gsrec.errors import ConfigError
from gsrec.models.attention import Attention, attend
from gsrec.models.blocks import EMBEDDING_STD, Block, FeedForward, Positions, drop, embedding
from gsrec.models.scores import ITEMS_AT_ONCE, MANY_HISTORIES, at_places, item_scores, newest


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5, 0.9])
def test_dropout_keeps_the_mean(share: float) -> None:
    dropped = drop(torch.full((500, 801), 2.0), share, training=True)
    assert (dropped == 0).float().mean() == pytest.approx(share, abs=0.005)
    assert dropped.mean() == pytest.approx(2.0, abs=0.05)
    kept = dropped[dropped != 0].unique()
    assert kept.tolist() == [pytest.approx(2 * 256 / (256 - round(share * 256)))]


@pytest.mark.parametrize(("share", "training"), [(0.0, True), (0.001, True), (0.5, False)])
def test_no_dropout(share: float, training: bool) -> None:
    hidden = torch.randn(3, 5)
    assert drop(hidden, share, training) is hidden


def test_dropout_of_nearly_all_keeps_something() -> None:
    dropped = drop(torch.ones(100, 1000), 0.9999, training=True)
    assert dropped.unique().tolist() == [0.0, 256.0]
    assert (dropped > 0).float().mean() == pytest.approx(1 / 256, rel=0.2)


def test_dropout_of_sizes_that_are_no_multiple_of_eight_and_of_none() -> None:
    for shape in [(1,), (7,), (3, 3), (2, 5, 9), (0, 4)]:
        assert drop(torch.ones(shape), 0.5, training=True).shape == shape


def test_dropout_lets_gradients_through_where_values_pass() -> None:
    hidden = torch.ones(1000, requires_grad=True)
    dropped = drop(hidden, 0.3, training=True)
    dropped.sum().backward()
    assert hidden.grad is not None
    assert hidden.grad.equal(dropped.detach())


def test_dropout_is_a_function_of_the_seed_and_independent_between_neighbours() -> None:
    def kept(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return drop(torch.ones(20_000), 0.5, training=True) > 0

    first = kept(1)
    assert first.equal(kept(1))
    for distance in (1, 8, 16):
        both = first[:-distance] & first[distance:]
        assert both.float().mean() == pytest.approx(0.25, abs=0.02)


def test_a_new_embedding() -> None:
    table = embedding(2001, 16, std=0.3)
    assert not table.weight[0].any()
    assert table.weight.abs().max() <= 0.6
    assert table.weight[1:].detach().std() == pytest.approx(0.3 * 0.88, rel=0.02)  # 0.88: cut off at two deviations
    assert embedding(2001, 16).weight.abs().max() <= 2 * EMBEDDING_STD


def test_padding_stays_zero_in_training() -> None:
    table = embedding(3, 4)
    optimizer = torch.optim.Adam(table.parameters(), lr=0.1)
    table(torch.tensor([0, 1])).sum().backward()
    optimizer.step()
    assert not table.weight[0].any()
    assert table.weight[1].abs().min() > 0.05


def test_heads_must_divide_the_size() -> None:
    with pytest.raises(ConfigError, match="embedding_size must be a multiple of num_heads, found 10 and 4"):
        Attention(10, 4)


def test_a_window_costs_no_square_of_the_length() -> None:
    attention = Attention(4, 1, window=8)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        attention(torch.zeros(1, 2048, 4))
    largest = max(event.cpu_memory_usage for event in profile.events())
    scores = 2048 * 2 * 8 * 4  # bytes: every query and the keys of two chunks
    assert scores <= largest <= 2 * scores < 2048 * 2048 * 4


def test_a_windows_bias_is_learned_for_every_distance() -> None:
    attention = Attention(4, 2, window=3)
    assert attention.window is not None
    assert attention.window.distance_bias.tolist() == [[0.0] * 3] * 2
    attention(torch.randn(2, 9, 4)).square().sum().backward()
    gradient = attention.window.distance_bias.grad
    assert gradient is not None
    assert gradient.all()


def test_a_blocks_dropout_is_on_both_parts() -> None:
    hidden = torch.randn(2, 5, 4)
    for feed_forward in (None, FeedForward(4, 8)):
        block = Block(Attention(4, 1), feed_forward, size=4, pre_norm=True, dropout=0.5)
        with torch.no_grad():
            for part in block.parameters():
                part.normal_()
        assert not block(hidden).equal(block(hidden))
        block.eval()
        assert block(hidden).equal(block(hidden))


@pytest.mark.parametrize("causal", [True, False])
def test_attention_in_bfloat16_is_that_in_float32_rounded(causal: bool) -> None:
    queries, keys, values = torch.randn(3, 2, 3, 5, 4).unbind(0)
    allowed = None if causal else torch.tensor([[True, True, False, True, False], [True] * 5])[:, None, None]
    expected = attend(queries, keys, values, allowed)
    found = attend(queries.bfloat16(), keys.bfloat16(), values.bfloat16(), allowed)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, rtol=0.03, atol=0.03)


def test_positions_are_counted_from_the_oldest_item() -> None:
    positions = Positions(max_length=4, size=2)
    hidden = torch.zeros(3, 2, 2)
    assert positions(hidden).equal(positions.weight[:2].expand(3, 2, 2))


def test_newest_and_empty_histories() -> None:
    hidden = torch.arange(12.0).view(3, 4, 1)
    items = torch.tensor([[5, 6, 7, 8], [5, 0, 0, 0], [0, 0, 0, 0]])
    assert at_places(hidden, newest(items)).tolist() == [[3.0], [4.0], [8.0]]


@pytest.mark.parametrize("pre_norm", [True, False])
@pytest.mark.parametrize("causal", [True, False])
def test_a_block_at_one_place_is_the_block_there(causal: bool, pre_norm: bool) -> None:
    block = Block(Attention(6, 2), FeedForward(6, 12), size=6, pre_norm=pre_norm, dropout=0.5).eval()
    hidden, places = torch.randn(3, 5, 6), torch.tensor([4, 0, 2])
    allowed = None if causal else (torch.rand(3, 1, 1, 5) < 0.7).index_fill(3, torch.tensor(0), True)
    torch.testing.assert_close(block.at(hidden, places, allowed), at_places(block(hidden, allowed), places))


def test_item_scores() -> None:
    hidden, weights = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    assert item_scores(hidden, weights, None).tolist() == [[0.0, 1.0, 3.0]]
    assert item_scores(hidden, weights, torch.tensor([5.0, 1.0, -1.0])).tolist() == [[5.0, 2.0, 2.0]]


@pytest.mark.parametrize("biased", [True, False])
def test_item_scores_of_many_histories_and_items(biased: bool) -> None:
    hidden, weights = torch.randn(MANY_HISTORIES, 4), torch.randn(2 * ITEMS_AT_ONCE + 5, 4)
    bias = torch.randn(len(weights)) if biased else None
    with torch.inference_mode():
        found = item_scores(hidden, weights, bias)
    torch.testing.assert_close(found, item_scores(hidden, weights, bias))
