"""From what people write to a moment."""

import re
from datetime import UTC, datetime, timedelta

from packages.model import rfc3339

HINT = "write 2026-11-21, 2026-11-21T09:30Z, or a span such as 90m, 12h, 7d"

_SPAN = re.compile(r"(\d+)([mhdw])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment_of(text: str, *, past: bool) -> str:
    """Return the moment that `text` means as the catalogue writes it: a date, a time, or ``7d`` from now.

    With `past` a span reaches back. A time without a zone is UTC. Raises ValueError.
    """
    try:
        if match := _SPAN.fullmatch(text):
            span = timedelta(**{_UNITS[match[2]]: int(match[1])})
            when = datetime.now(UTC) - span if past else datetime.now(UTC) + span
        else:
            when = datetime.fromisoformat(text)
            when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text} is no time") from None
    return rfc3339(when)
