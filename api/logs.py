"""Log lines of the serving process: to its standard error, each with the id of the request it belongs to."""

import logging

from api.guards import WithRequestId
from packages.wording import printable

FORM = "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"


class Lines(logging.Formatter):
    """Writes each record as one line, a traceback below it: no name of a file begins a line of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's own name
        """Return the line, with whatever would end it or steer a terminal in escapes."""
        record.message = printable(record.message)
        return super().formatMessage(record)


def configure() -> None:
    """Send every log line of this process to standard error; of uvicorn's own no accesses."""
    handler = logging.StreamHandler()
    handler.setFormatter(Lines(FORM))
    handler.addFilter(WithRequestId())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("holdfast").setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
