"""Serve the API and the pages: ``python -m api --home DIR [--host HOST] [--port PORT]``."""

import argparse
from contextlib import suppress
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from api import logs
from api.app import create_app
from api.connections import BoundedConnection
from api.pages.live import end_streams
from api.presenting import load
from services.archive import open_archive

STOPPING_SECONDS = 10
"""Seconds that requests under way have to end once the server is told to stop."""


class Server(uvicorn.Server):
    """A server that ends its live streams when it is told to stop: they would never end by themselves."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._pages = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        end_streams(self._pages)
        self._pages.state.errands.close()
        super().handle_exit(sig, frame)


def main() -> None:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser(prog="python -m api", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    said = parser.parse_args()
    logs.configure()
    archive = open_archive(said.home)
    try:
        app = create_app(archive)
        load(app.state.templates)  # half a second of work, in which nobody would be answered
        config = uvicorn.Config(
            app,
            host=said.host,
            port=said.port,
            http=BoundedConnection,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # the guards read them, as far as the settings allow
            timeout_graceful_shutdown=STOPPING_SECONDS,
        )
        with suppress(KeyboardInterrupt):  # that is how it is told to stop, too
            Server(config, app).run()
    finally:
        archive.close()


if __name__ == "__main__":
    main()
