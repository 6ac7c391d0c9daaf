"""The description of the API as a plain page: no script, no style, nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any


def docs_page(description: Mapping[str, Any]) -> str:
    """A page that says what an OpenAPI description says."""
    info = description["info"]
    parts = "".join(_operations(description))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])} API</title>'
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info.get('description', ''))}</p>"
        f'<p><a href="/openapi.json">openapi.json</a> says the same for programs.</p>{parts}</html>'
    )


def _operations(description: Mapping[str, Any]) -> Iterator[str]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield f"<h2>{method.upper()} {escape(path)}</h2><p>{escape(operation.get('description', ''))}</p>"
            yield _parameters(operation.get("parameters", ()))
            yield _body(operation, description)
            rows = (f"<li>{code}: {escape(answer['description'])}" for code, answer in operation["responses"].items())
            yield f"<p>Answers:</p><ul>{''.join(rows)}</ul>"


def _parameters(parameters: Any) -> str:
    rows = [
        f"<li><code>{escape(one['name'])}</code> ({one['in']}): {escape(one.get('description', ''))}"
        for one in parameters
    ]
    return f"<p>Parameters:</p><ul>{''.join(rows)}</ul>" if rows else ""


def _body(operation: Mapping[str, Any], description: Mapping[str, Any]) -> str:
    if "requestBody" not in operation:
        return ""
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    if "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    examples = "".join(f"<pre>{escape(json.dumps(example))}</pre>" for example in schema.get("examples", ()))
    names = ", ".join(f"<code>{escape(name)}</code>" for name in schema["properties"])
    return f"<p>Body: {names}. For example:</p>{examples}"
