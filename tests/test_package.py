import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import gsrec
from gsrec.errors import ConfigError

STUB = Path(gsrec.__file__).with_suffix(".pyi").read_text(encoding="utf-8")


def test_every_public_name_leads_to_its_home() -> None:
    exports = re.findall(r"from (\S+) import \S+ as (\S+)", STUB)
    assert {name for _, name in exports} == set(dir(gsrec)) - {"__version__"}
    for home, name in exports:
        assert getattr(gsrec, name) is getattr(importlib.import_module(home), name)


def test_a_log_in_memory_is_refused_with_what_to_do_instead() -> None:
    log = gsrec.log_from_frame(pl.DataFrame({"user": [1], "item": [2]}))
    with pytest.raises(
        ConfigError, match=r"found InteractionLog\. Write it to a file first, and give that: a log with `log\.frame"
    ):
        gsrec.config_for(log)  # type: ignore[arg-type]


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = gsrec.nonsense  # type: ignore[attr-defined]


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = "import sys, gsrec; sys.exit(bool({'torch', 'polars', 'numpy', 'pydantic'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(("given", "held"), [(None, "1000"), ("7", "7")])
def test_threads_do_not_wait_busily_for_long_unless_told(given: str | None, held: str) -> None:
    program = "import os, gsrec; print(os.environ['GOMP_SPINCOUNT'])"
    around = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    around |= {"GOMP_SPINCOUNT": given} if given else {}
    assert subprocess.check_output([sys.executable, "-c", program], env=around, text=True).strip() == held
