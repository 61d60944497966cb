"""Log lines of the serving process: to its standard error, each with the id of the request it belongs to."""

import logging

from api.guards import WithRequestId

FORM = "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"


def configure() -> None:
    """Send every log line of this process to standard error; of uvicorn's own no accesses."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(FORM))
    handler.addFilter(WithRequestId())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("holdfast").setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
