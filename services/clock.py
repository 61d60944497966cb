"""Times to come, written as `packages.model.now` writes the present one."""

from datetime import UTC, datetime, timedelta


def later(seconds: float) -> str:
    """Return the time in `seconds` from now: RFC 3339 in UTC with microseconds and ``Z``."""
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
