"""Serve the API and the pages: ``python -m api --home DIR [--host HOST] [--port PORT]``."""

import argparse
from pathlib import Path

import uvicorn

from api import logs
from api.app import create_app
from services.archive import open_archive


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
        uvicorn.run(
            create_app(archive),
            host=said.host,
            port=said.port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # the guards read them, as far as the settings allow
        )
    finally:
        archive.close()


if __name__ == "__main__":
    main()
