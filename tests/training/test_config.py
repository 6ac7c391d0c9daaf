"""What a training configuration takes."""

import pytest
from pydantic import ValidationError

from gsrec.training.config import TrainingConfig


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("objective", "previous-item"),
        ("loss", "hinge"),
        ("precision", "float16"),
        ("optimizer", "sgd"),
        ("learning_rate", 0.0),
        ("weight_decay", -0.1),
        ("embedding_l2", -0.1),
        ("calibration", 1.1),
        ("mask_share", 0.0),
        ("mask_share", 1.0),
        ("mask_last_share", 1.0),
        ("averaging", 1.0),
        ("warm_up_steps", -1),
        ("num_negatives", 0),
        ("batch_size", 0),
        ("epochs", 0),
        ("patience", -1),
        ("validate_every", 0),
        ("no_such_setting", 1),
    ],
)
def test_what_is_out_of_range_or_unknown_is_named(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name):
        TrainingConfig.model_validate({name: value})


def test_a_configuration_cannot_be_changed() -> None:
    config = TrainingConfig()
    with pytest.raises(ValidationError, match="frozen"):
        config.epochs = 3  # type: ignore[misc]
    assert config == TrainingConfig()
