"""The converters that the format policy can name: each *tool* of a rule, and where its adapter is."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from tools.normalise.ports import Adapter

MODULES: Mapping[str, str] = {
    each: f"tools.normalise.{each}"
    for each in ["ffmpeg", "ghostscript", "libraw", "libreoffice", "mail", "readpst", "rsvg", "text", "vips"]
}
"""Tool → the module of this folder whose ``ADAPTER`` it is; imported when a file first needs it."""

_JPEG: Mapping[str, Any] = {
    "type": "object",
    "required": ["max_side"],
    "additionalProperties": False,
    "properties": {"max_side": {"type": "integer", "minimum": 16, "maximum": 20000}},
}
LIBRARIES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "pdfium": {"jpeg": _JPEG},
    "pillow": {"jpeg": _JPEG, "lossless": {"type": "object", "additionalProperties": False}},
}
"""The recipes of libraries, which work in child processes of ours and start none for a file."""


@cache
def adapter(tool: str) -> Adapter | None:
    """Return the adapter of `tool`; None where there is none, as of libraries, which need none."""
    if tool not in MODULES:
        return None
    made: Adapter = import_module(MODULES[tool]).ADAPTER
    return made


def recipes(tool: str) -> Mapping[str, Mapping[str, Any]] | None:
    """Return for each recipe of `tool` the JSON Schema of its arguments; None for an unknown tool."""
    if tool in LIBRARIES:
        return LIBRARIES[tool]
    found = adapter(tool)
    return None if found is None else found.recipes
