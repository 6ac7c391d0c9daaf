"""The models: each one a file that reads from top to bottom, out of shared blocks."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from gsrec.models.bert4rec import BERT4Rec, BERT4RecConfig
from gsrec.models.gru4rec import GRU4Rec, GRU4RecConfig
from gsrec.models.gsrec import GSRec, GSRecConfig
from gsrec.models.hybrids import Hybrid, HybridConfig
from gsrec.models.poprec import PopRec, PopRecConfig
from gsrec.models.protocols import CountingScorer, Scorer, SequenceEncoder, State, StreamingEncoder
from gsrec.models.sasrec import SASRec, SASRecConfig

ModelConfig = Annotated[
    PopRecConfig | GRU4RecConfig | SASRecConfig | BERT4RecConfig | GSRecConfig | HybridConfig,
    Field(discriminator="name"),
]
Model = PopRec | GRU4Rec | SASRec | BERT4Rec | GSRec | Hybrid

MODELS = ("poprec", "gru4rec", "sasrec", "bert4rec", "gsrec", "gat4rec", "fdg-trans", "gru-transformer")

__all__ = [
    "MODELS",
    "BERT4Rec",
    "BERT4RecConfig",
    "CountingScorer",
    "GRU4Rec",
    "GRU4RecConfig",
    "GSRec",
    "GSRecConfig",
    "Hybrid",
    "HybridConfig",
    "Model",
    "ModelConfig",
    "PopRec",
    "PopRecConfig",
    "SASRec",
    "SASRecConfig",
    "Scorer",
    "SequenceEncoder",
    "State",
    "StreamingEncoder",
    "build_model",
    "num_parameters",
]


def num_parameters(model: Model) -> int:
    """How many numbers of a model are trained; of PopRec none."""
    return sum(part.numel() for part in model.parameters())


def build_model(config: ModelConfig, *, num_items: int, seed: int = 0) -> Model:
    """Make the model that `config` describes, its weights a pure function of the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        match config:
            case PopRecConfig():
                return PopRec(num_items, config)
            case GRU4RecConfig():
                return GRU4Rec(num_items, config)
            case SASRecConfig():
                return SASRec(num_items, config)
            case BERT4RecConfig():
                return BERT4Rec(num_items, config)
            case GSRecConfig():
                return GSRec(num_items, config)
            case HybridConfig():
                return Hybrid(num_items, config)
