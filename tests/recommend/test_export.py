"""An exported model gives the model's numbers, for any batch and length, and event by event; nothing unchecked is read.

Legend: B batch, L length, V items.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from torch import Tensor
from typer.testing import CliRunner

from gsrec.bundle import Bundle, DataFacts, save_bundle
from gsrec.cli.export import export as export_command
from gsrec.data.vocabulary import Vocabulary
from gsrec.errors import BundleError, ConfigError, MissingExtraError, NotFittedError
from gsrec.models import (
    BERT4RecConfig,
    GRU4Rec,
    GRU4RecConfig,
    GSRecConfig,
    HybridConfig,
    ModelConfig,
    PopRec,
    PopRecConfig,
    SASRecConfig,
    Scorer,
    build_model,
)
from gsrec.ranking import mask_seen, top_k
from gsrec.recommend import export as export_module
from gsrec.recommend.export import export_bundle
from gsrec.recommend.onnx_runtime import EXPORT_FACTS, IDS, SCORES, STEP, OnnxScorer, OnnxStream, read_facts
from gsrec.recommend.session import Session

NUM_ITEMS, MAX_LENGTH, EVENTS = 40, 20, 300
SMALL = {"embedding_size": 8, "num_blocks": 1, "num_heads": 2, "recurrent_size": 12, "max_length": MAX_LENGTH}
RECURRENT = {"embedding_size": 8, "recurrent_size": 12}
CONFIGS: dict[str, ModelConfig] = {
    "poprec": PopRecConfig(),
    "gru4rec": GRU4RecConfig.model_validate(
        {**RECURRENT, "cell": "lstm", "num_recurrent_layers": 2, "temperature": 0.1}
    ),
    "sasrec": SASRecConfig(embedding_size=8, num_blocks=1, max_length=MAX_LENGTH),
    "sasrec-cosines": SASRecConfig(embedding_size=8, num_blocks=1, max_length=MAX_LENGTH, temperature=0.1),
    "sasrec-short": SASRecConfig(embedding_size=8, num_blocks=1, max_length=2),
    "bert4rec": BERT4RecConfig(embedding_size=8, num_blocks=1, max_length=MAX_LENGTH),
    "gsrec": GSRecConfig.model_validate({**SMALL, "window": 4}),
    "gsrec-cosines": GSRecConfig.model_validate({**SMALL, "window": 4, "temperature": 0.1}),
    "gsrec-thesis": GSRecConfig.model_validate(
        {**SMALL, "window": "all", "cell": "rnn", "feed_forward": False, "residual": False, "tied_weights": False}
    ),
    "gat4rec": HybridConfig.model_validate({**SMALL, "name": "gat4rec", "latest": 3}),
    "fdg-trans": HybridConfig.model_validate({**SMALL, "name": "fdg-trans"}),
    "gru-transformer": HybridConfig.model_validate({**SMALL, "name": "gru-transformer"}),
}
STREAMS = {
    "gru4rec": None,
    "sasrec-cosines": MAX_LENGTH,
    "sasrec": MAX_LENGTH,
    "sasrec-short": 2,
    "gsrec": None,
    "gsrec-cosines": None,
    "gsrec-thesis": MAX_LENGTH,
}
"""Those whose streams are tested, and up to how many events."""


def bundle_of(name: str, config: ModelConfig | None = None) -> Bundle:
    """A bundle of a model whose scores are well apart."""
    config = config or CONFIGS[name]
    model = build_model(config, num_items=NUM_ITEMS, seed=3).eval()
    generator = torch.Generator().manual_seed(5)
    for weights in model.parameters():
        weights.data += 0.3 * torch.randn(weights.shape, generator=generator)
    if isinstance(model, PopRec):
        model.counts = torch.randperm(NUM_ITEMS + 1, generator=generator).float()
    facts = DataFacts(name="random", fingerprint="0" * 64, num_users=1, num_items=NUM_ITEMS, num_interactions=1)
    vocabulary = Vocabulary.of(f"item {number}" for number in range(NUM_ITEMS))
    return Bundle(model, config, vocabulary, facts, torch.zeros(NUM_ITEMS + 1, dtype=torch.int64))


def _marked(names: Iterable[str]) -> list[Any]:
    """An export takes long, so what differs from others by its length alone, or by parts that others have, is slow."""
    slow = ("sasrec-short", "gsrec-cosines")
    return [pytest.param(name, marks=pytest.mark.slow) if name in slow else name for name in names]


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Bundle, Path]]:
    """Every model, and where its export is: made when it is first asked for."""
    root = tmp_path_factory.mktemp("exports")

    class Exports(dict[str, tuple[Bundle, Path]]):
        def __missing__(self, name: str) -> tuple[Bundle, Path]:
            bundle = bundle_of(name)
            export_bundle(bundle, root / name)
            self[name] = bundle, root / name
            return self[name]

    return Exports()


Exports = dict[str, tuple[Bundle, Path]]


def histories(batch: int, length: int, seed: int) -> Tensor:
    """(B, L) int64 of real lengths 1 to L, right-padded."""
    generator = torch.Generator().manual_seed(seed)
    items = torch.randint(1, NUM_ITEMS + 1, (batch, length), generator=generator)
    lengths = torch.randint(1, length + 1, (batch,), generator=generator)
    return items * (torch.arange(length) < lengths[:, None])


@pytest.mark.parametrize("name", _marked(CONFIGS))
def test_whole_histories_score_as_they_do_in_pytorch(exports: Exports, name: str) -> None:
    bundle, folder = exports[name]
    scorer = OnnxScorer(folder)
    assert isinstance(scorer, Scorer)
    assert (scorer.num_items, scorer.max_length) == (NUM_ITEMS, bundle.model.max_length)
    for seed, (batch, length) in enumerate([(1, 1), (1, 7), (5, 3), (3, 4), (40, 19), (2, 33)]):
        items = histories(batch, min(length, scorer.max_length or length), seed)
        found = scorer.score(items)
        with torch.no_grad():
            expected = bundle.model.score(items).clone()
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
        mask_seen(found, items)
        mask_seen(expected, items)
        assert torch.equal(top_k(found, 10)[1], top_k(expected, 10)[1])


@pytest.mark.parametrize("name", _marked(STREAMS))
def test_events_one_by_one_score_as_a_session_does(exports: Exports, name: str) -> None:
    bundle, folder = exports[name]
    stream, session = OnnxStream(folder), Session(bundle)
    for item in histories(1, EVENTS, 9)[0].clamp_min(1).tolist()[: STREAMS[name]]:
        session.add(f"item {item - 1}")
        torch.testing.assert_close(stream.step(item), session.scores(), rtol=1e-4, atol=1e-4)
    assert stream.facts.max_events == STREAMS[name]
    if STREAMS[name]:
        with pytest.raises(ConfigError, match=f"takes {STREAMS[name]} events one by one, and they are there. Give the"):
            stream.step(1)
    stream.start()
    again = Session(bundle)
    again.add("item 3")
    torch.testing.assert_close(stream.step(4), again.scores(), rtol=1e-4, atol=1e-4)


def test_the_steps_of_many_go_together(exports: Exports) -> None:
    """What the graph takes besides what `OnnxStream` gives it: users with unlike numbers of events."""
    bundle, folder = exports["sasrec"]
    stream, sessions = OnnxStream(folder), [Session(bundle) for _ in range(2)]
    rows = []
    for session, items in zip(sessions, ([5], [7, 8, 9]), strict=True):
        stream.start()
        for item in items:
            session.add(f"item {item - 1}")
            stream.step(item)
        rows.append(stream._parts)
    state = {f"part{place}": np.concatenate(parts) for place, parts in enumerate(zip(*rows, strict=True))}
    scores = stream._session.run(["scores"], {"events": np.array([1, 3]), "items": np.array([2, 2]), **state})[0]
    for session, row in zip(sessions, torch.from_numpy(scores), strict=True):
        session.add("item 1")
        torch.testing.assert_close(row[None], session.scores(), rtol=1e-4, atol=1e-4)


def test_the_facts_say_what_the_graphs_take(exports: Exports) -> None:
    bundle, folder = exports["gsrec"]
    facts = json.loads((folder / EXPORT_FACTS).read_text())
    assert (facts["fingerprint"], facts["padding"]) == (bundle.fingerprint, "right, with 0")
    assert facts["scores"] == {
        "file": SCORES,
        "inputs": [{"name": "items", "type": "int64", "shape": ["batch", "length"]}],
        "outputs": [{"name": "scores", "type": "float32", "shape": ["batch", NUM_ITEMS + 1]}],
    }
    assert [port["name"] for port in facts["step"]["inputs"]] == ["events", "items", "part0", "part1"]
    assert [port["shape"] for port in facts["step"]["inputs"][2:]] == [["batch", 2, 2, 4, 4], ["batch", 1, 12]]
    named = [port["name"] for port in facts["step"]["outputs"]]
    assert named == ["scores", "next_part0", "next_part1"]
    assert json.loads((folder / IDS).read_text()) == bundle.vocabulary.ids.to_list()


def test_exporting_says_nothing_and_leaves_the_model_as_it_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bundle = bundle_of("gru4rec")
    before = {name: weights.clone() for name, weights in bundle.model.state_dict().items()}
    with warnings.catch_warnings(record=True) as told, torch.inference_mode():
        export_bundle(bundle, tmp_path)
    assert (told, capfd.readouterr()) == ([], ("", ""))
    after = bundle.model.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], weights) for name, weights in before.items())
    assert next(bundle.model.parameters()).requires_grad
    OnnxStream(tmp_path)
    export_bundle(bundle_of("poprec"), tmp_path)
    assert not (tmp_path / STEP).exists()
    with pytest.raises(ConfigError, match=r"poprec does not stream: there is no step.onnx. Use OnnxScorer"):
        OnnxStream(tmp_path)


def test_an_item_that_the_model_does_not_know_is_told(exports: Exports) -> None:
    stream = OnnxStream(exports["gru4rec"][1])
    with pytest.raises(ConfigError, match="items are 1 to 40, found 41"):
        stream.step(NUM_ITEMS + 1)


def test_what_is_not_as_it_was_exported_is_refused_before_anything_reads_it(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"holds no exported model: model\.json cannot be read"):
        read_facts(tmp_path)
    export_bundle(bundle_of("poprec"), tmp_path)
    (tmp_path / SCORES).write_bytes((tmp_path / SCORES).read_bytes() + b"?")
    with pytest.raises(BundleError, match=r"scores\.onnx does not match its checksum. Export it again"):
        OnnxScorer(tmp_path)
    (tmp_path / SCORES).unlink()
    with pytest.raises(BundleError, match=r"scores\.onnx cannot be read"):
        OnnxScorer(tmp_path)
    (tmp_path / EXPORT_FACTS).write_text('{"format": 2}')
    with pytest.raises(BundleError, match=r"model\.json is damaged: format: Input should be 1"):
        OnnxScorer(tmp_path)


def test_what_cannot_be_exported_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = bundle_of("poprec")
    monkeypatch.setattr(export_module, "MAX_BYTES", 100)
    with pytest.raises(ConfigError, match="the weights take 164 bytes, and an ONNX file holds 100"):
        export_bundle(bundle, tmp_path)
    monkeypatch.undo()
    assert isinstance(bundle.model, PopRec)
    bundle.model.counts.zero_()
    with pytest.raises(NotFittedError, match="has not counted yet"):
        export_bundle(bundle, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_without_the_packages_the_extra_is_named(
    exports: Exports, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = exports["poprec"][1]

    monkeypatch.setattr("gsrec.extras.find_spec", lambda name: None if name == package else object())
    with pytest.raises(MissingExtraError, match=rf"{package} is not installed.*gsrec\[onnx\]"):
        OnnxScorer(folder) if package == "onnxruntime" else export_bundle(bundle_of("poprec"), tmp_path)


def test_the_command_says_what_it_wrote(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(export_command)
    bundle = bundle_of("poprec")
    save_bundle(bundle, tmp_path / "model.gsrec")
    given = [str(tmp_path / "model.gsrec"), "--out", str(tmp_path / "onnx")]
    told = CliRunner().invoke(app, given).stdout
    assert told == f"written: {tmp_path / 'onnx'} (poprec, 40 items: scores.onnx)\n"
    told = CliRunner().invoke(app, [*given, "--json"]).stdout
    expected = {"out": str(tmp_path / "onnx"), "fingerprint": bundle.fingerprint, "streams": False}
    assert json.loads(told) == expected


def test_a_model_that_onnx_cannot_express_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def branching(self: GRU4Rec, items: Tensor) -> Tensor:
        shape = (items.shape[0], self.num_items + 1)
        return torch.zeros(shape) if items.sum() > 3 else torch.ones(shape)

    monkeypatch.setattr(GRU4Rec, "score", branching)
    with pytest.raises(
        ConfigError, match=r"ONNX cannot express GRU4Rec: Could not guard .*\. All but ONNX does without"
    ):
        export_bundle(bundle_of("gru4rec"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("cause", "kind", "told"),
    [
        (ValueError("no function for aten::odd\nand more"), ConfigError, "GRU4Rec: no function for aten::odd. All but"),
        (RuntimeError("cannot allocate 9 bytes"), RuntimeError, "step 3 of 3"),
    ],
)
def test_the_reason_is_told_and_memory_is_none(
    cause: Exception, kind: type[Exception], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(model: object) -> None:
        raise RuntimeError("step 3 of 3") from cause

    monkeypatch.setattr(export_module, "_scores_graph", fail)
    with pytest.raises(kind, match=told):
        export_bundle(bundle_of("gru4rec"), tmp_path / "out")
