"""A real uvicorn on a free port of loopback, for what a client in process cannot show."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from api.connections import BoundedConnection


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server listens."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def server_of(app: FastAPI) -> Iterator[Server]:
    """Serve `app` in a thread until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        config = uvicorn.Config(
            app, http=BoundedConnection, log_level="critical", lifespan="off", timeout_graceful_shutdown=5
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield Server(port)
        finally:
            server.should_exit = True
            thread.join()
