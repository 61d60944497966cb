"""The converters that the format policy can name: each *tool* of a rule, and where its adapter is."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from tools.normalise.ports import Adapter

MODULES: Mapping[str, str] = {
    each: f"tools.normalise.{each}"
    for each in ("ffmpeg", "ghostscript", "libraw", "libreoffice", "mail", "poppler", "rsvg", "text", "vips")
}
"""Tool → the module of this folder whose ``ADAPTER`` it is; imported when a file first needs it."""

PILLOW: Mapping[str, Mapping[str, Any]] = {
    "jpeg": {
        "type": "object",
        "required": ["max_side"],
        "additionalProperties": False,
        "properties": {"max_side": {"type": "integer", "minimum": 16, "maximum": 20000}},
    },
    "lossless": {"type": "object", "additionalProperties": False},
}
"""The recipes of Pillow, which works in child processes of ours and starts none for a file."""


@cache
def adapter(tool: str) -> Adapter | None:
    """Return the adapter of `tool`; None for one that there is none of, and for Pillow, which needs none."""
    if tool not in MODULES:
        return None
    made: Adapter = import_module(MODULES[tool]).ADAPTER
    return made


def recipes(tool: str) -> Mapping[str, Mapping[str, Any]] | None:
    """Return for each recipe of `tool` the JSON Schema of its arguments; None for an unknown tool."""
    if tool == "pillow":
        return PILLOW
    found = adapter(tool)
    return None if found is None else found.recipes
