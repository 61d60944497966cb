"""Serve the API and the pages: ``python -m api --home DIR [--host HOST] [--port PORT]``."""

import argparse
from pathlib import Path

import uvicorn

from api.app import create_app
from services.archive import open_archive


def main() -> None:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser(prog="python -m api", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    said = parser.parse_args()
    archive = open_archive(said.home)
    try:
        uvicorn.run(
            create_app(archive), host=said.host, port=said.port, log_level="warning", server_header=False
        )
    finally:
        archive.close()


if __name__ == "__main__":
    main()
