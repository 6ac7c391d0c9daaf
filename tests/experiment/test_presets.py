"""Every preset of every model is a whole configuration, and `thesis` is the thesis."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import get_args

import pytest

from gsrec.data.sequences import LogSizes
from gsrec.errors import ConfigError
from gsrec.experiment.configure import run_config, run_configs
from gsrec.experiment.folder import LogReference
from gsrec.experiment.layers import preset_layer, presets, read_presets
from gsrec.experiment.prepare import batches_of, new_model, prepare
from gsrec.models import MODELS, GSRec, GSRecConfig, HybridConfig, build_model
from gsrec.reporting.thesis_numbers import THESIS_MODELS

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
PRESETS = [(model, preset) for model in MODELS for preset in presets(model)]


@pytest.mark.parametrize(("model", "preset"), PRESETS, ids=[":".join(pair) for pair in PRESETS])
def test_a_preset_makes_a_model(model: str, preset: str) -> None:
    config = run_config(model, preset)
    assert (config.model.name, config.preset) == (model, preset)
    assert build_model(config.model, num_items=3).num_items == 3


@pytest.mark.parametrize("model", THESIS_MODELS.values())
def test_every_model_of_the_thesis_has_its_presets(model: str) -> None:
    assert presets(model)[0] == "default"
    assert {"thesis", "thesis-ml-1m"} <= set(presets(model))


def test_an_unknown_preset_is_named_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"unknown preset of poprec 'last-moth'. Did you mean 'last-month'\?"):
        preset_layer("poprec", "last-moth")
    with pytest.raises(ConfigError, match="unknown model 'nothing'"):
        presets("nothing")


def test_the_thesiss_gsrec_is_the_thesiss() -> None:
    config = run_config("gsrec", "thesis")
    assert config.model == GSRecConfig(
        embedding_size=50,
        num_blocks=2,
        num_heads=1,
        window="all",
        feed_forward=False,
        cell="gru",
        num_recurrent_layers=1,
        recurrent_size=50,
        residual=False,
        tied_weights=False,
        max_length=150,
        dropout=0.2,
    )
    training = config.training
    assert (training.objective, training.loss, training.optimizer) == ("last-item", "bce", "adam")
    assert (training.batch_size, training.learning_rate, training.embedding_l2) == (512, 3e-4, 0.02)
    assert (training.averaging, training.clip_norm, training.weight_decay, training.warm_up_steps) == (0, 0, 0, 0)
    assert (config.data.min_user_interactions, config.data.split) == (3, "leave-one-out")


def test_batches_of_one_target_a_history_are_of_as_many_histories() -> None:
    config = run_config("gsrec", "thesis", settings=["batch_size=8", "embedding_size=4"])
    split = prepare(LogReference.of("synthetic"), config)[0]
    model = new_model(config, split)
    assert isinstance(model, GSRec)
    sizes = {len(batch) for batch in batches_of(split, config, model).epoch(1)}
    assert max(sizes) == 8
    assert max(sizes) - min(sizes) <= 1


def test_the_thesiss_sizes_for_ml_1m() -> None:
    config, beauty = run_config("gsrec", "thesis-ml-1m"), run_config("gsrec", "thesis")
    assert isinstance(config.model, GSRecConfig)
    assert isinstance(beauty.model, GSRecConfig)
    sizes = {"embedding_size": 500, "recurrent_size": 500, "max_length": 300}
    assert config.model == beauty.model.model_copy(update=sizes)
    changes = {"learning_rate": 5e-4, "batch_size": 128, "embedding_l2": 0.0}
    assert config.training == beauty.training.model_copy(update=changes)


@pytest.mark.parametrize(("preset", "length", "batch_size"), [("thesis", 150, 512), ("thesis-ml-1m", 300, 128)])
def test_the_baselines_see_as_much_as_the_thesiss_gsrec(preset: str, length: int, batch_size: int) -> None:
    for model in ("gru4rec", "sasrec", "bert4rec"):
        config = run_config(model, preset)
        assert (config.model.model_dump()["max_length"], config.training.batch_size) == (length, batch_size)


def test_every_ablation_is_a_model_of_its_own() -> None:
    names = [*read_presets(file := EXPERIMENTS / "ablations.toml")]
    models, sparse = ["gsrec", *(f"gsrec:{name}" for name in names)], LogSizes(22_363, 12_101, 198_502)
    plain, *configs = run_configs(models, [1], presets_file=file, sizes=sparse)
    assert all(build_model(config.model, num_items=3).num_items == 3 for config in configs)
    different = {config.model_copy(update={"preset": "default"}).model_dump_json() for config in configs}
    assert len(different - {plain.model_dump_json()}) == len(names)


def test_every_ablation_is_asked_for() -> None:
    asked = tomllib.loads((EXPERIMENTS / "questions.toml").read_text(encoding="utf-8"))["question"]
    labels = {label for question in asked for label in question["models"].values()}
    hybrids = get_args(HybridConfig.model_fields["name"].annotation)
    presets_of_gsrec = {f"gsrec:{name}" for name in read_presets(EXPERIMENTS / "ablations.toml")}
    assert labels == {"gsrec", *hybrids, *presets_of_gsrec}


def test_a_model_needs_no_presets_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gsrec.experiment.layers.MODELS", (*MODELS, "newest"))
    assert presets("newest") == ("default",)
    assert preset_layer("newest", "default") == {}
