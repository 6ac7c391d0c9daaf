"""Presets, files and single settings are laid over each other; what is unknown is named, with a hint."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from gsrec.errors import ConfigError
from gsrec.experiment.config import DataConfig, RunConfig
from gsrec.experiment.configure import RunRequest, run_config, run_configs
from gsrec.models import GSRecConfig, PopRecConfig, SASRecConfig
from gsrec.training.config import TrainingConfig


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text("[model]\ndropout = 0.3\nmax_length = 20\n[training]\nepochs = 7\n", encoding="utf-8")
    return path


def gsrec_model(config: RunConfig) -> GSRecConfig:
    assert isinstance(config.model, GSRecConfig)
    return config.model


def test_what_is_given_later_lies_on_top(file: Path) -> None:
    preset = run_config("gsrec", "thesis")
    with_file = run_config("gsrec", "thesis", file=file)
    with_all = run_config("gsrec", "thesis", file=file, settings=["dropout=0.4", "epochs=8", "epochs=9"])
    assert (gsrec_model(preset).dropout, preset.training.epochs, gsrec_model(preset).max_length) == (0.2, 400, 150)
    assert (gsrec_model(with_file).dropout, with_file.training.epochs) == (0.3, 7)
    assert (gsrec_model(with_all).dropout, with_all.training.epochs, gsrec_model(with_all).max_length) == (0.4, 9, 20)
    assert with_all.training.loss == preset.training.loss == "bce"


def test_without_anything_given_it_is_the_default_preset() -> None:
    config = run_config("gsrec")
    assert (config.preset, config.seed, config.label) == ("default", 1, "gsrec")
    assert config == run_config("gsrec", "default", seed=1)
    assert config.data == DataConfig()


@pytest.mark.parametrize(
    ("model", "preset", "setting", "message"),
    [
        (
            "gsrec",
            "default",
            "learn_rate=1",
            "unknown setting 'learn_rate'. Did you mean 'learning_rate'? There are: act",
        ),
        (
            "gsrec",
            "default",
            "model.blocks=1",
            "unknown setting 'model.blocks'. Did you mean 'num_blocks'? There are: c",
        ),
        (
            "gsrec",
            "default",
            "modell.window=1",
            "unknown setting 'modell'. Did you mean 'model'? There are: data, model",
        ),
        ("gsrec", "default", "zzz=1", "unknown setting 'zzz'. There are: activation, averaging"),
        ("gsrec", "default", "model.zzz=1", "unknown setting 'model.zzz'. There are: cell, dropout"),
        ("poprec", "default", "window=3", "unknown setting 'model.window'. There are: days"),
        ("sasrek", "default", "epochs=1", "unknown model 'sasrek'. Did you mean 'sasrec'? There are: poprec, gru4rec"),
        ("sasrec", "one-negativ", "epochs=1", "unknown preset of sasrec 'one-negativ'. Did you mean 'one-negative'?"),
    ],
)
def test_what_is_unknown_is_named_with_a_hint(model: str, preset: str, setting: str, message: str) -> None:
    with pytest.raises(ConfigError) as told:
        run_config(model, preset, settings=[setting])
    assert str(told.value).startswith(message)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as told:
        run_config("gsrec", settings=["epochs=0", "model.windw=3", "window=-1"], seed=-1)
    assert [part.split(",")[0] for part in str(told.value).split("; ")] == [
        "model.window",
        "unknown setting 'model.windw'. Did you mean 'window'? There are: cell",
        "training.epochs",
        "seed",
    ]


def test_the_name_of_the_model_cannot_be_set_to_another() -> None:
    assert run_config("sasrec", settings=["model.name=sasrec"]) == run_config("sasrec")
    with pytest.raises(ConfigError, match="the settings are for the model 'gsrec', and the model of this run is 'sas"):
        run_config("sasrec", settings=["model.name=gsrec"])


def test_configurations_go_seed_by_seed_through_the_models() -> None:
    configs = run_configs(["poprec", " gsrec:thesis"], [4, 5])
    assert [(config.label, config.seed) for config in configs] == [
        ("poprec", 4),
        ("gsrec:thesis", 4),
        ("poprec", 5),
        ("gsrec:thesis", 5),
    ]


def test_a_setting_goes_to_the_models_that_have_it(file: Path) -> None:
    poprec, gru4rec, gsrec = run_configs(
        ["poprec", "gru4rec", "gsrec"], [1], file=file, settings=["window=8", "epochs=3", "days=7"]
    )
    assert poprec.model == PopRecConfig(days=7)
    assert gru4rec == run_config("gru4rec", file=file, settings=["epochs=3"])
    assert gsrec == run_config("gsrec", file=file, settings=["window=8", "epochs=3"])
    assert {config.training.epochs for config in (gru4rec, gsrec)} == {3}
    assert poprec.training == TrainingConfig()  # which counts, and does not train


def test_a_file_may_be_for_several_models(tmp_path: Path) -> None:
    file = tmp_path / "all.toml"
    file.write_text("[model]\nrecurrent_size = 32\nembedding_size = 16\n", encoding="utf-8")
    for config in (run_config("sasrec", file=file), *run_configs(["sasrec"], [1], file=file)):
        assert config.model == SASRecConfig(embedding_size=16)
    with pytest.raises(ConfigError, match=r"unknown setting 'model\.recurrent_size'"):
        run_config("sasrec", settings=["recurrent_size=32"])
    file.write_text("[model]\nrecurent_size = 32\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"unknown setting 'model\.recurent_size'"):
        run_config("sasrec", file=file)


def test_a_setting_that_no_model_has_is_unknown() -> None:
    with pytest.raises(ConfigError, match=r"unknown setting of these models 'window'\. There are: activation, days"):
        run_configs(["poprec", "sasrec"], [1], settings=["window=3"])


def test_further_presets_lie_on_top_of_the_default_one(tmp_path: Path) -> None:
    file = tmp_path / "presets.toml"
    file.write_text('[plain.model]\ncell = "none"\n[plain.training]\nepochs = 4\n', encoding="utf-8")
    first, second = run_configs(["gsrec", "gsrec:plain"], [1], settings=["batch_size=32"], presets_file=file)
    assert (second.label, second.training.learning_rate) == ("gsrec:plain", first.training.learning_rate)
    assert second.model == first.model.model_copy(update={"cell": "none"})
    assert (second.training.epochs, second.training.batch_size) == (4, 32)
    with pytest.raises(ConfigError, match=r"unknown preset of gsrec 'plan'. Did you mean 'plain'\?"):
        run_configs(["gsrec:plan"], [1], presets_file=file)
    file.write_text("[plain]\ncell = 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"expected presets as \[plain.model\], \[plain.training\], found plain = "):
        run_configs(["gsrec:plain"], [1], presets_file=file)


def test_a_model_is_compared_once() -> None:
    assert len(run_configs(["gsrec", "gsrec:thesis"], [1])) == 2
    with pytest.raises(ConfigError, match="gsrec:default is twice among the models"):
        run_configs(["gsrec", "poprec", "gsrec:default"], [1])


@pytest.mark.parametrize(("model", "objective"), [("bert4rec", "next-item"), ("sasrec", "masked-item")])
def test_only_bert4rec_fills_in_masked_items(model: str, objective: str) -> None:
    with pytest.raises(ConfigError, match=f"found '{objective}' for {model}"):
        run_config(model, settings=[f"objective={objective}"])


@pytest.mark.parametrize(("model", "objective"), [("bert4rec", "masked-item"), ("gsrec", "last-item")])
def test_only_next_items_have_a_popularity_prior(model: str, objective: str) -> None:
    with pytest.raises(ConfigError, match=f"for the next-item objective only; found '{objective}'"):
        run_config(model, settings=[f"objective={objective}", "popularity_prior=1"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"model": {"name": "bert4rec"}}, "sees both sides of an item, is trained with masked-item"),
        (
            {"model": {"name": "sasrec", "embedding_size": 10, "num_heads": 3}},
            "a multiple of num_heads, found 10 and 3",
        ),
        ({"model": {"name": "gsrec"}, "data": {"split": "at-moments"}}, "at-moments needs training_until"),
    ],
)
def test_what_does_not_fit_each_other_is_no_configuration(content: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        RunConfig.model_validate(content)


def test_what_does_not_fit_a_model_is_known_before_the_first_training() -> None:
    with pytest.raises(ConfigError, match=r"^embedding_size must be a multiple of num_heads, found 64 and 3$"):
        run_configs(["gru4rec", "sasrec"], [1], settings=["num_heads=3"])


@pytest.mark.parametrize(
    ("setting", "beside"),
    [
        ("held_out=3", "split=last-n"),
        ("training_until=5", "split=at-moments"),
        ("validation_until=5", "split=at-moments"),
        ("num_negatives=100", "loss=gbce"),
        ("calibration=0.5", "loss=gbce"),
    ],
)
def test_a_setting_without_effect_is_told(setting: str, beside: str) -> None:
    told = f"{setting.partition('=')[0]} has no effect but with "
    with pytest.raises(ConfigError, match=told):
        run_config("gsrec", settings=[setting])
    with pytest.raises(ConfigError, match=told):
        run_configs(["gsrec", "poprec"], [1], settings=[setting])
    both = [beside, "training_until=5", "validation_until=6"] if "at-moments" in beside else [beside, setting]
    assert run_config("gsrec", settings=both) != run_config("gsrec", settings=[])


@pytest.mark.parametrize(
    ("model", "settings", "told"),
    [
        ("gsrec", ["cell=none", "recurrent_size=8"], "recurrent_size has no effect but with a recurrence"),
        ("gsrec", ["cell=none", "num_recurrent_layers=2"], "has no effect but with a recurrence"),
        ("sasrec", ["feed_forward=false", "activation=gelu"], "activation has no effect but with feed_forward=true"),
        ("sasrec", ["feed_forward=false", "feed_forward_size=4"], "has no effect but with feed_forward=true"),
        ("poprec", ["epochs=3"], "training.epochs has no effect: no model here is trained in steps"),
    ],
)
def test_a_setting_of_a_part_that_is_not_there_is_told(model: str, settings: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        run_config(model, settings=settings)
    assert len(run_configs([model, "gat4rec"], [1], settings=settings[:1])) == 2


def test_a_part_that_only_another_model_has_gives_its_setting_no_effect() -> None:
    with pytest.raises(ConfigError, match="feed_forward_size has no effect but with feed_forward=true"):
        run_configs(["sasrec", "bert4rec"], [1], settings=["feed_forward=false", "feed_forward_size=8"])


def test_models_that_never_have_the_part_are_no_reason_for_its_setting() -> None:
    with pytest.raises(ConfigError, match="recurrent_size has no effect but with a recurrence"):
        run_configs(["gsrec", "sasrec", "poprec"], [1], settings=["cell=none", "recurrent_size=8"])


def test_a_file_may_name_its_model(tmp_path: Path) -> None:
    file = tmp_path / "gsrec.toml"
    file.write_text('[model]\nname = "gsrec"\nwindow = 8\n', encoding="utf-8")
    assert run_config("gsrec", file=file) == run_configs(["gsrec"], [1], file=file)[0]
    for asked in (lambda: run_config("sasrec", file=file), lambda: run_configs(["gsrec", "sasrec"], [1], file=file)):
        with pytest.raises(ConfigError, match="the settings are for the model 'gsrec', and the model of this run is"):
            asked()


def test_the_file_of_a_request_is_read_once(tmp_path: Path) -> None:
    file = tmp_path / "all.toml"
    file.write_text("[training]\nepochs = 3\n", encoding="utf-8")
    request = RunRequest("gsrec", file=file)
    file.write_text("[training]\nepochs = 4\n", encoding="utf-8")
    assert request.config().training.epochs == 3
    assert request.config(drawn={"training": {"epochs": 5}}).training.epochs == 5


def test_a_file_may_have_settings_for_another_model(tmp_path: Path) -> None:
    (tmp_path / "all.toml").write_text("[training]\nmask_share = 0.5\n", encoding="utf-8")
    assert run_config("gsrec", file=tmp_path / "all.toml").training.mask_share == 0.5


@pytest.mark.parametrize(
    ("setting", "model"),
    [("mask_share=0.5", "bert4rec"), ("mask_last_share=0.5", "bert4rec"), ("latest=9", "gat4rec")],
)
def test_a_setting_has_an_effect_for_one_of_the_models(setting: str, model: str) -> None:
    with pytest.raises(ConfigError, match=f"has no effect but with the model {model}"):
        run_config("fdg-trans", settings=[setting])
    assert len(run_configs(["fdg-trans", model], [1], settings=[setting])) == 2


def test_a_seed_fits_the_generators() -> None:
    assert run_config("gsrec", seed=2**63 - 1).seed == 2**63 - 1
    with pytest.raises(ConfigError, match="seed"):
        run_config("gsrec", seed=2**63)


def test_a_setting_is_finite() -> None:
    with pytest.raises(ConfigError, match=r"training\.learning_rate.*finite"):
        run_config("sasrec", settings=["learning_rate=inf"])


def test_bert4rec_needs_an_event_to_fill_in_and_one_beside_it() -> None:
    assert run_config("bert4rec", settings=["max_length=2"]).label == "bert4rec"
    with pytest.raises(ConfigError, match=r"model\.max_length, found 1: .*greater than or equal to 2"):
        run_config("bert4rec", settings=["max_length=1"])


def test_one_setting_by_itself_is_one_setting() -> None:
    assert run_config("gsrec", settings="epochs=3") == run_config("gsrec", settings=["epochs=3"])
    assert run_configs(["gsrec"], [1], settings="epochs=3") == [run_config("gsrec", settings=["epochs=3"])]
