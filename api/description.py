"""The OpenAPI description, completed: what every route may answer, and how one signs in."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from api.problems import MEDIA_TYPE, described

EVERYWHERE = described(400, 401, 429, 500, 503)
"""Guards, a token that is not valid, a defect, a part that is away: possible at every route."""
SIGN_IN: dict[str, Any] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API token: `holdfast token create`, or POST /api/tokens.",
    }
}


def operation_id(route: APIRoute) -> str:
    """Return the id of an operation: the name of its function."""
    return route.name


def install(app: FastAPI) -> None:
    """Let `app` describe itself completely; the description is made when it is first asked for."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    description=app.description,
                    routes=app.routes,
                )
            )
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation has it


def _completed(said: dict[str, Any]) -> dict[str, Any]:
    components = said.setdefault("components", {})
    components["securitySchemes"] = SIGN_IN
    said["security"] = [{}, {"token": []}]
    content = _problem_content()
    for operation in (each for methods in said["paths"].values() for each in methods.values()):
        answers = operation["responses"]
        for status, each in EVERYWHERE.items():
            answers.setdefault(str(status), {"description": each["description"], "content": content})
        for each in answers.values():  # FastAPI says of each problem, and of its own 422, plain JSON too
            if MEDIA_TYPE in each.get("content", {}) or each.get("description") == "Validation Error":
                each["content"] = content
        operation["responses"] = dict(sorted(answers.items()))
    for unused in ("HTTPValidationError", "ValidationError"):
        components.get("schemas", {}).pop(unused, None)
    return said


def _problem_content() -> dict[str, Any]:
    return dict(EVERYWHERE[400]["content"])
