"""Benchmarks that measure this project alone go with its code; those of peers need environments of their own."""

import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"
SCRIPTS = [*FOLDER.glob("*.py"), *FOLDER.glob("serving/*.py"), FOLDER / "systems" / "with_gsrec.py"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_all_that_a_script_needs_is_there(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(script.parent)
    monkeypatch.syspath_prepend(FOLDER)
    assert runpy.run_path(str(script), run_name="imported")["__doc__"]
