"""Conformance: whether a file keeps to the rules of the format that it is in.

Which tool judges which PUID is data (`schemas/validation.json`). Tools run in batches, confined
(`tools.sandbox`); one that is not installed is known before anything starts.
"""

from typing import TYPE_CHECKING, Any

from tools.validity.ports import PROPERTY, Outcome, Subject, Validity
from tools.validity.table import Check, Table, load_table

if TYPE_CHECKING:
    from tools.validity.validator import Validator

__all__ = ["PROPERTY", "Check", "Outcome", "Subject", "Table", "Validator", "Validity", "load_table"]


def __getattr__(name: str) -> Any:
    """Load `Validator`, with the libraries of its tools, for those who ask for it: most commands do not."""
    if name == "Validator":
        from tools.validity.validator import Validator  # noqa: PLC0415  # slow to load

        return Validator
    raise AttributeError(name)
