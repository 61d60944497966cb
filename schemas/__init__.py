"""Contracts as data: JSON Schemas, BagIt profile, format policy, vocabularies, finding codes.

`load(name)` returns a parsed JSON document of this folder.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def load(name: str) -> Any:
    """Return the parsed JSON document `name` (for example ``findings.json``) of this folder.

    The result is shared between callers: do not change it. Raises FileNotFoundError for an unknown name.
    """
    return json.loads(files("schemas").joinpath(name).read_text(encoding="utf-8"))
