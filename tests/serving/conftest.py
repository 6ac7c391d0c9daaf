"""Small models with random weights, and servers of them within the test's own process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from fastapi.testclient import TestClient

from gsrec.bundle import Bundle, DataFacts, save_bundle
from gsrec.data.vocabulary import ItemId, Vocabulary
from gsrec.models import GRU4RecConfig, GSRecConfig, ModelConfig, SASRecConfig, build_model
from gsrec.recommend.recommender import Recommender
from gsrec.serving.app import create_app
from gsrec.serving.settings import Settings

NUM_ITEMS = 30
CONFIGS: dict[str, ModelConfig] = {
    "gsrec": GSRecConfig(embedding_size=8, num_heads=1, recurrent_size=8, window=3, max_length=12),
    "gru4rec": GRU4RecConfig(embedding_size=8, recurrent_size=8, max_length=12),
    "sasrec": SASRecConfig(embedding_size=8, max_length=12),
}


def bundle_of(kind: str = "gsrec", *, seed: int = 1, ids: list[ItemId] | None = None) -> Bundle:
    """A model of these items; by default the integers from 1, the higher the more popular."""
    named = ids or list(range(1, NUM_ITEMS + 1))
    model = build_model(CONFIGS[kind], num_items=len(named), seed=seed).eval()
    facts = DataFacts(name="small", fingerprint="0" * 64, num_users=9, num_items=len(named), num_interactions=99)
    return Bundle(model, CONFIGS[kind], Vocabulary.of(named), facts, torch.arange(len(named) + 1), metrics={"MRR": 0.5})


@dataclass(frozen=True)
class Server:
    """A server, and the library's own model to compare it with."""

    client: TestClient
    recommender: Recommender

    def ask(self, method: str, path: str, body: object = None, **told: Any) -> Any:
        """The content of an answer that must be good."""
        response = self.client.request(method, path, json=body, **told) if body is not None else None
        response = response or self.client.request(method, path, **told)
        assert response.is_success, response.text
        return response.json() if response.content else None


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle called shop, whose items are integers; for reading only."""
    path = tmp_path_factory.mktemp("bundles") / "shop"
    save_bundle(bundle_of(), path)
    return path


@pytest.fixture
def serve(shop: Path) -> Iterator[Callable[..., Server]]:
    """Start a server; without bundles it serves the shop."""
    with ExitStack() as stack:

        def start(*bundles: Path, address: str = "http://127.0.0.1", **settings: Any) -> Server:
            app = create_app(Settings(bundles or (shop,), **settings))
            client = stack.enter_context(TestClient(app, base_url=address, raise_server_exceptions=False))
            return Server(client, Recommender.load((bundles or (shop,))[0]))

        yield start


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    """A server of the shop, without keys."""
    return serve()
