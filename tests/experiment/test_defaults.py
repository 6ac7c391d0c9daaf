"""The settings suit the log, unless others are given, and the thesis's presets are what they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from gsrec.data.sequences import LogSizes
from gsrec.experiment.configure import run_config, run_configs, suited
from gsrec.experiment.defaults import catalogue_note, suited_layer, suited_note
from gsrec.models import MODELS, GSRecConfig, build_model

DENSE, FEW_USERS = LogSizes(6_040, 3_416, 999_611), LogSizes(943, 1_682, 100_000)
SPARSE, TINY = LogSizes(22_363, 12_101, 198_502), LogSizes(90, 400, 900)


def test_a_dense_log_has_the_presets_own_settings_and_averages() -> None:
    dense, plain = run_config("gsrec", sizes=DENSE), run_config("gsrec")
    assert dense.model == plain.model
    assert dense.training == plain.training.model_copy(update={"averaging": 0.995})
    told = suited_note(suited("gsrec", DENSE), dense)
    assert told == ("settings that suit a log of these sizes: averaging=0.995, batch_size=64",)


@pytest.mark.parametrize(
    ("sizes", "averaging"),
    [
        (TINY, 0.98),
        (FEW_USERS, 0.992),
        (LogSizes(600, 3_277, 102_272), 0.987),
        (LogSizes(28_347, 3_408, 332_845), 0.995),
        (LogSizes(138_493, 18_345, 20_000_000), 0.995),
    ],
)
def test_weights_are_averaged_over_the_steps_of_two_epochs(sizes: LogSizes, averaging: float) -> None:
    assert run_config("gsrec", sizes=sizes).training.averaging == averaging


def test_a_loss_over_very_many_items_is_told() -> None:
    softmax, sampled = run_config("gsrec").training, run_config("gsrec", settings=["loss=sampled-softmax"]).training
    assert catalogue_note(softmax, 99_999) == ()
    assert "over all 100,000 items" in catalogue_note(softmax, 100_000)[0]
    assert catalogue_note(sampled, 100_000) == ()


def test_a_sparse_log_wants_width_dropout_and_cosines() -> None:
    config = run_config("gsrec", sizes=SPARSE)
    assert isinstance(config.model, GSRecConfig)
    assert (config.model.embedding_size, config.model.dropout, config.model.temperature) == (256, 0.5, 0.07)
    assert (config.model.window, config.model.max_length, config.training.loss) == (32, 50, "softmax")
    assert suited_layer(LogSizes(40_226, 54_542, 353_962))["model"]["embedding_size"] == 128
    assert "embedding_size=256" in suited_note(suited("gsrec", SPARSE), config)[0]
    given = run_config("gsrec", sizes=SPARSE, settings=["embedding_size=64"])
    assert "embedding_size" not in suited_note(suited("gsrec", SPARSE), given)[0]
    assert "recurrent_size" not in suited_note(suited("sasrec", SPARSE), run_config("sasrec", sizes=SPARSE))[0]
    assert run_config("sasrec", sizes=SPARSE).model.model_dump()["temperature"] == 0
    assert run_config("gat4rec", sizes=SPARSE).model.model_dump()["temperature"] == 0.07
    long_histories = suited_layer(LogSizes(600, 3_277, 102_272))
    assert long_histories == {"training": {"averaging": 0.987, "batch_size": 16}}


@pytest.mark.parametrize(
    ("sizes", "batch_size"),
    [
        (TINY, 16),
        (LogSizes(100, 500, 20_000), 16),
        (FEW_USERS, 16),
        (LogSizes(1_600, 500, 60_000), 32),
        (LogSizes(1_600, 500, 640_000), 64),  # long histories are cut into windows, each of which is a row
        (LogSizes(4_000, 9_885, 35_599), 64),
        (LogSizes(6_400, 9_885, 64_000), 128),
        (SPARSE, 256),
        (LogSizes(10**6, 10**6, 10**7), 256),
    ],
)
def test_few_histories_come_in_small_batches(sizes: LogSizes, batch_size: int) -> None:
    assert run_config("gsrec", sizes=sizes).training.batch_size == batch_size


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("sizes", [DENSE, FEW_USERS, SPARSE, TINY])
def test_every_model_takes_what_it_has_of_them(model: str, sizes: LogSizes) -> None:
    config = run_config(model, sizes=sizes)
    assert build_model(config.model, num_items=3).num_items == 3


def test_what_is_given_comes_first_and_other_presets_stay(tmp_path: Path) -> None:
    given = run_config("gsrec", settings=["dropout=0.1", "batch_size=7"], sizes=SPARSE)
    assert (given.model.model_dump()["dropout"], given.training.batch_size) == (0.1, 7)
    assert run_config("gsrec", "thesis", sizes=SPARSE) == run_config("gsrec", "thesis")
    one_negative = run_config("sasrec", "one-negative", sizes=SPARSE)
    assert (one_negative.model.model_dump()["embedding_size"], one_negative.training.loss) == (256, "sampled-bce")
    file = tmp_path / "presets.toml"
    file.write_text("[narrow.model]\nembedding_size = 32\n", encoding="utf-8")
    (narrow,) = run_configs(["gsrec:narrow"], [1], presets_file=file, sizes=SPARSE)
    assert (narrow.model.model_dump()["embedding_size"], narrow.model.model_dump()["dropout"]) == (32, 0.5)
