"""The ways to ask a model which `gsrec verify` compares."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from gsrec.bundle import Bundle, save_bundle
from gsrec.experiment.verify import Way, library_ways, onnx_ways
from gsrec.extras import OF_SERVER, installed
from gsrec.recommend.recommender import Recommender

NOT_INSTALLED = "its extra is not installed"


def all_ways(bundle: Bundle, longest: int, stack: ExitStack) -> tuple[dict[str, Way], dict[str, str]]:
    """All ways to ask a model that this installation has, and why which others were left out.

    Args:
        bundle: the model.
        longest: how many events a history has at most.
        stack: what the ways need is there for as long as it is open.

    Returns:
        The ways and the reasons, by name.
    """
    ways, left_out = library_ways(Recommender(bundle)), dict[str, str]()
    folder = Path(stack.enter_context(TemporaryDirectory()))
    if installed("onnx", "onnxruntime", "onnxscript"):
        from gsrec.recommend.export import export_bundle

        export_bundle(bundle, folder / "onnx")
        ways |= onnx_ways(bundle, folder / "onnx")
    else:
        left_out["ONNX"] = NOT_INSTALLED
    if installed(*OF_SERVER):
        from gsrec.serving.batch import MAX_SESSION
        from gsrec.serving.over_http import over_http
        from gsrec.serving.schemas import MAX_ID

        if longest > MAX_SESSION:
            left_out["HTTP"] = f"a history is longer than the {MAX_SESSION:,} events that a session takes"
        elif any(isinstance(item_id, str) and len(item_id) > MAX_ID for item_id in bundle.vocabulary.ids):
            left_out["HTTP"] = f"an item id is longer than the {MAX_ID} characters that the server takes"
        else:
            save_bundle(bundle, folder / "bundle")
            ways["HTTP"] = stack.enter_context(over_http(folder / "bundle"))
    else:
        left_out["HTTP"] = NOT_INSTALLED
    return ways, left_out
