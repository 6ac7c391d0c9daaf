"""Servers of two kinds, and a browser that looks at their page."""

from __future__ import annotations

import csv
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from gsrec.bundle import Bundle, DataFacts, save_bundle
from gsrec.data.sources import open_log
from gsrec.data.splits import leave_one_out
from gsrec.data.vocabulary import Vocabulary
from gsrec.models import GSRecConfig, ModelConfig, PopRec, PopRecConfig, build_model
from gsrec.serving.app import create_app
from gsrec.serving.settings import Settings

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CONFIGS: dict[str, ModelConfig] = {
    "small-gsrec": GSRecConfig(embedding_size=8, num_heads=1, recurrent_size=8, window=3, max_length=20),
    "popularity": PopRecConfig(),
}
TITLES = {
    1: "The Night Garden (1951)",
    2: "Garden of Glass (1960)",
    3: "Winter Harbour (1999)",
    4: "<img src=x onerror=\"document.title='taken'\"> & <b>bold</b>",
}
PLAIN_IDS = [7, 2**60 + 1, 9]  # one is beyond what a number of JavaScript holds


@contextmanager
def _serving(settings: Settings) -> Iterator[str]:
    """The address of a server for as long as it lasts."""
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=0, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="package")
def serving() -> Callable[[Settings], AbstractContextManager[str]]:
    """Starts a server for as long as it is wanted; gives its address."""
    return _serving


@pytest.fixture(scope="package")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of two models with titles and a log."""
    folder = tmp_path_factory.mktemp("two")
    split = leave_one_out(open_log("synthetic").to_sequences())
    num_items = split.sequences.num_items
    for name, config in CONFIGS.items():
        model = build_model(config, num_items=num_items, seed=2).eval()
        if isinstance(model, PopRec):
            model.count(split)
        save_bundle(Bundle.of(model, config, split), folder / name)
    with (folder / "titles.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["item_id", "title"])
        rows.writerows((one, TITLES.get(one, f"Item called {one}")) for one in range(num_items + 1))
    bundles = tuple(folder / name for name in CONFIGS)
    with _serving(Settings(bundles, titles=folder / "titles.csv", log="synthetic")) as address:
        yield address


@pytest.fixture(scope="package")
def plain_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model by popularity of three items, of which one has a large number."""
    folder = tmp_path_factory.mktemp("plain") / "plain"
    model = PopRec(3, PopRecConfig())
    model.counts = model.counts.new_tensor([0, 3, 2, 1])
    facts = DataFacts(name="log", fingerprint="0" * 64, num_users=1, num_items=3, num_interactions=6)
    save_bundle(Bundle(model, PopRecConfig(), Vocabulary.of(PLAIN_IDS), facts, model.counts.long()), folder)
    return folder


@pytest.fixture(scope="package")
def plain(plain_bundle: Path) -> Iterator[str]:
    """A server of one model, without titles or a log."""
    with _serving(Settings((plain_bundle,))) as address:
        yield address


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium; without one the tests are skipped."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is found (chromium, chromium-browser or google-chrome): install one to test the page")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def expected() -> list[str]:
    """What a test itself has the browser complain of."""
    return []


@pytest.fixture
def visit(browser: Browser, expected: list[str]) -> Iterator[Callable[..., Page]]:
    """Opens a server's page; when the test ends, no page may have asked elsewhere, and none may have complained."""
    requests: list[str] = []
    complaints: list[str] = []

    def opened(address: str, **options: Any) -> Page:
        page = browser.new_context(**options).new_page()
        page.on("request", lambda request: requests.append(request.url.removeprefix(address)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        if "401" not in expected:
            expect(page.locator("#columns[aria-busy=false] .column").first).to_be_visible()
        return page

    yield opened
    for context in browser.contexts:
        context.close()
    assert requests
    assert [url for url in requests if not url.startswith("/")] == []
    assert [one for one in complaints if not any(text in one for text in expected)] == []
