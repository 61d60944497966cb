"""The description of the API: examples of what is sent and of what comes back, and problems as problems."""

from typing import Any

import pytest
from fastapi import FastAPI

from api import description
from api.app import ROUTERS
from api.problems import MEDIA_TYPE
from packages.errors import Kind

JSON = "application/json"
FILE = {"schema": {}}
"""What is said of JSON that is a file of somebody's."""


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    app = FastAPI(title="Holdfast")
    for router in ROUTERS:
        app.include_router(router)
    description.install(app)
    return app.openapi()


def operations(said: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", each)
        for path, methods in said["paths"].items()
        for method, each in methods.items()
    ]


def has_example(said: dict[str, Any], part: Any) -> bool:
    """Tell whether a part of the description has an example, in itself or in a schema that it names."""
    if isinstance(part, list):
        return any(has_example(said, each) for each in part)
    if not isinstance(part, dict):
        return False
    if "example" in part or "examples" in part or "enum" in part:
        return True
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        return has_example(said, said["components"]["schemas"][name].get("properties", {}))
    return any(has_example(said, each) for each in part.values())


def test_every_body_and_every_answer_in_json_has_an_example(said: dict[str, Any]) -> None:
    bodies = [(name, each["requestBody"]) for name, each in operations(said) if "requestBody" in each]
    without = [name for name, body in bodies if not has_example(said, body)]
    assert without == []
    without = [
        f"{name} {status}"
        for name, each in operations(said)
        for status, answer in each["responses"].items()
        if (content := answer.get("content", {}).get(JSON, FILE)) != FILE and not has_example(said, content)
    ]
    assert without == []


def test_every_operation_says_what_it_does(said: dict[str, Any]) -> None:
    assert [name for name, each in operations(said) if not (each["summary"] and each["description"])] == []


def test_problems_are_described_as_problems_and_their_types_are_named(said: dict[str, Any]) -> None:
    for name, each in operations(said):
        for status, answer in each["responses"].items():
            if status >= "400" and (name, status) != ("GET /health", "503"):
                assert list(answer["content"]) == [MEDIA_TYPE], (name, status)
    told = said["components"]["schemas"]["Problem"]["properties"]["type"]["description"]
    assert all(kind in told for kind in Kind)
