"""Attention blocks against `torch.nn.TransformerEncoderLayer` with the same weights.

Legend: B batch, L length, D hidden, H heads.
"""

import pytest
import torch
from torch import Tensor, nn

from gsrec.models import BERT4RecConfig, SASRecConfig, build_model
from gsrec.models.attention import Attention
from gsrec.models.bert4rec import BERT4Rec
from gsrec.models.blocks import Activation, Block, FeedForward
from gsrec.models.sasrec import SASRec

SIZE, HEADS, LENGTH = 12, 3, 7
LENGTHS = torch.tensor([7, 1, 4])
PADDING = torch.arange(LENGTH) >= LENGTHS[:, None]  # (B, L)


def torch_layer(block: Block, *, inner_size: int, activation: Activation) -> nn.TransformerEncoderLayer:
    """The same block as torch has it; in training mode, since its fast path for judging is another computation."""
    size = block.attention_norm.normalized_shape[0]
    layer = nn.TransformerEncoderLayer(
        size,
        block.attention.num_heads,
        dim_feedforward=inner_size,
        dropout=0.0,
        activation=activation,
        batch_first=True,
        norm_first=block.pre_norm,
    )
    assert block.feed_forward is not None
    assert block.feed_forward_norm is not None
    pairs: dict[str, nn.Linear | nn.LayerNorm] = {
        "self_attn.in_proj_": block.attention.in_projection,
        "self_attn.out_proj.": block.attention.out_projection,
        "norm1.": block.attention_norm,
        "norm2.": block.feed_forward_norm,
        "linear1.": block.feed_forward.in_projection,
        "linear2.": block.feed_forward.out_projection,
    }
    state = {f"{name}{kind}": getattr(part, kind) for name, part in pairs.items() for kind in ("weight", "bias")}
    layer.load_state_dict(state)
    return layer


def randomise(module: nn.Module) -> None:
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for part in module.parameters():
            part.normal_(0, 0.4, generator=generator)


def causal_mask(length: int) -> Tensor:
    return torch.ones(length, length, dtype=torch.bool).triu(1)


@pytest.fixture
def hidden() -> Tensor:
    return torch.randn(len(LENGTHS), LENGTH, SIZE, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("pre_norm", [True, False])
@pytest.mark.parametrize("causal", [True, False])
def test_a_block_is_a_transformer_layer(hidden: Tensor, activation: Activation, pre_norm: bool, causal: bool) -> None:
    feed_forward = FeedForward(SIZE, 20, activation=activation)
    block = Block(Attention(SIZE, HEADS), feed_forward, size=SIZE, pre_norm=pre_norm, dropout=0.0)
    randomise(block)
    layer = torch_layer(block, inner_size=20, activation=activation)
    if causal:
        found, expected = block(hidden), layer(hidden, src_mask=causal_mask(LENGTH))
    else:
        found, expected = block(hidden, ~PADDING[:, None, None]), layer(hidden, src_key_padding_mask=PADDING)
    torch.testing.assert_close(found[~PADDING], expected[~PADDING], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pre_norm", [True, False])
def test_a_block_without_feed_forward_is_attention_added_to_what_came_in(hidden: Tensor, pre_norm: bool) -> None:
    block = Block(Attention(SIZE, HEADS), None, size=SIZE, pre_norm=pre_norm, dropout=0.0)
    randomise(block)
    attention = nn.MultiheadAttention(SIZE, HEADS, batch_first=True)
    attention.load_state_dict(
        {
            "in_proj_weight": block.attention.in_projection.weight,
            "in_proj_bias": block.attention.in_projection.bias,
            "out_proj.weight": block.attention.out_projection.weight,
            "out_proj.bias": block.attention.out_projection.bias,
        }
    )
    given = block.attention_norm(hidden) if pre_norm else hidden
    mixed, _ = attention(given, given, given, attn_mask=causal_mask(LENGTH), need_weights=False)
    expected = hidden + mixed if pre_norm else block.attention_norm(hidden + mixed)
    torch.testing.assert_close(block(hidden), expected, rtol=1e-5, atol=1e-5)


ITEMS = torch.tensor([[3, 1, 4, 1, 5, 9], [2, 6, 0, 0, 0, 0]])


def test_sasrec_is_a_causal_transformer() -> None:
    config = SASRecConfig(embedding_size=SIZE, num_heads=HEADS, max_length=8, feed_forward_size=2)
    model = build_model(config, num_items=9).eval()
    assert isinstance(model, SASRec)
    randomise(model)
    hidden = model.items.weight[ITEMS] * SIZE**0.5 + model.positions.weight[: ITEMS.shape[1]]
    for block in model.blocks:
        assert isinstance(block, Block)
        layer = torch_layer(block, inner_size=2 * SIZE, activation="relu")
        hidden = layer(hidden, src_mask=causal_mask(ITEMS.shape[1]))
    newest = model.norm(hidden)[torch.arange(2), torch.tensor([5, 1])]
    torch.testing.assert_close(model.score(ITEMS), newest @ model.items.weight.T, rtol=1e-4, atol=1e-4)


def test_bert4rec_is_a_transformer_that_fills_in_a_mask() -> None:
    config = BERT4RecConfig(embedding_size=SIZE, num_heads=HEADS, max_length=8)
    model = build_model(config, num_items=9).eval()
    assert isinstance(model, BERT4Rec)
    randomise(model)
    mask = 10
    masked = torch.tensor([[3, 1, 4, 1, 5, 9, mask], [2, 6, mask, 0, 0, 0, 0]])
    hidden = model.norm(model.items.weight[masked] + model.positions.weight[: masked.shape[1]])
    for block in model.blocks:
        assert isinstance(block, Block)
        layer = torch_layer(block, inner_size=4 * SIZE, activation="gelu")
        hidden = layer(hidden, src_key_padding_mask=masked == 0)
    transformed = model.transform(hidden[torch.arange(2), torch.tensor([6, 2])])
    expected = transformed @ model.items.weight[:mask].T + model.bias
    torch.testing.assert_close(model.score(ITEMS), expected, rtol=1e-4, atol=1e-4)
