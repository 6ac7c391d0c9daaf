"""GSRec: sequential recommendation, judged honestly, on an ordinary CPU.

The names below are loaded when they are first used, so that importing the package costs nothing.
"""

import os
from importlib import import_module

__version__ = "0.1.0"

# PyTorch's threads (on Linux) wait for each other busily, for longer than a busy neighbour on the machine leaves a
# core to them: training then takes 30 times as long. They give up early, unless told otherwise before torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

_HOMES = {
    "Columns": "gsrec.data.columns",
    "InteractionLog": "gsrec.data.log",
    "LogReference": "gsrec.experiment.folder",
    "log_from_frame": "gsrec.data.build",
    "open_log": "gsrec.data.sources",
    "read_log": "gsrec.data.readers",
    "Protocol": "gsrec.evaluation.evaluator",
    "Recommender": "gsrec.recommend.recommender",
    "config_for": "gsrec.experiment.prepare",
    "run_config": "gsrec.experiment.configure",
    "open_run": "gsrec.experiment.run",
    "train": "gsrec.experiment.run",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> object:
    """Load a public name from its home."""
    if name not in _HOMES:
        raise AttributeError(f"module 'gsrec' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return [*__all__, "__version__"]
