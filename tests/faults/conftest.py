"""Every fault that is made to happen is counted, and told if GSREC_TALLY names a file (docs/reliability.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

TRIED, LOST = Counter[str](), Counter[str]()


@pytest.fixture(autouse=True)
def counted(request: pytest.FixtureRequest, tally: Callable[[str, int, int], None]) -> Iterator[None]:
    """A fault has the name of its test; one that fails is lost."""
    what = "fault: " + request.function.__name__.removeprefix("test_").replace("_", " ")
    TRIED[what] += 1
    before = request.session.testsfailed
    yield
    LOST[what] += request.session.testsfailed > before
    tally(what, TRIED[what], LOST[what])
