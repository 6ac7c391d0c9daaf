"""The API's description is true: every example works, and no request gets an answer that it does not tell of."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.result import Ok
from tests.serving.conftest import NUM_ITEMS, Server

from gsrec.data.synthetic import synthetic_log
from gsrec.serving.app import create_app
from gsrec.serving.settings import Settings

CHECKED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
)
REFUSALS = ["400", "401", "403", "404", "405", "413", "415", "422"]
"""How what breaks the description may be refused; 413, because a list that is too long can be a body that is too."""

BOUNDED = settings(
    max_examples=12,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
"""So many good and so many bad requests of every question, always the same."""


def test_every_example_of_a_body_is_answered(server: Server) -> None:
    description = server.ask("GET", "/openapi.json")
    tried = 0
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            for example in _examples(operation, description):
                server.ask(method.upper(), path.replace("{session_id}", f"example-{tried}"), example)
                tried += 1
    assert tried >= 5


def _examples(operation: dict[str, Any], description: dict[str, Any]) -> list[object]:
    if "requestBody" not in operation:
        return []
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    if "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return list(schema["examples"])


def test_every_question_tells_of_its_errors(server: Server) -> None:
    for path, methods in server.ask("GET", "/openapi.json")["paths"].items():
        for method, operation in methods.items():
            assert operation["description"], (path, method)
            assert {"401", "405", "422", "429", "503"} <= set(operation["responses"]), (path, method)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of some of the shop's items."""
    path = tmp_path / "log.csv"
    synthetic_log(num_users=20, num_items=NUM_ITEMS, mean_length=5).frame.write_csv(path)
    return path


def test_no_request_gets_an_answer_that_is_not_described(shop: Path, log: Path) -> None:
    load_all_checks()
    headers = {"Host": "127.0.0.1"}
    app = create_app(Settings((shop,), log=str(log)))
    refusals = {"negative_data_rejection": {"expected-statuses": REFUSALS}}
    config = schemathesis.Config.from_dict({"checks": refusals})
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=config, headers=headers)
    checks: list[Any] = CHECKS.get_by_names(CHECKED)
    tried = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        for mode in schemathesis.GenerationMode:

            @settings(BOUNDED)
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: schemathesis.Case[Any]) -> None:
                nonlocal tried
                tried += 1
                case.call_and_validate(headers=headers, checks=checks)

            with suppress(Unsatisfiable):  # a question without any value cannot be asked wrongly
                ask()
    assert tried > 100
