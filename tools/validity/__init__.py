"""Conformance: whether a file keeps to the rules of the format that it is in.

Which tool judges which PUID is data (`schemas/validation.json`). Tools run in batches, confined
(`tools.sandbox`); one that is not installed is known before anything starts.
"""

from tools.validity.ports import Outcome, Subject, Validity
from tools.validity.table import Check, Table, load_table
from tools.validity.validator import Validator

__all__ = ["Check", "Outcome", "Subject", "Table", "Validator", "Validity", "load_table"]
