"""A server between a client and the real one: it loses answers, refuses, or falls silent."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Rule = Callable[[str, str], str]
"""Of method and path, what happens: ``pass``, ``lose`` (done, no answer), ``503``, ``hang``, ``reset``."""
BUSY = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Reduce your request rate</Message></Error>"


class Between(BaseHTTPRequestHandler):
    """Handles each request as the server's `rule` says."""

    protocol_version = "HTTP/1.1"
    target = ""
    over = threading.Event()

    @staticmethod
    def rule(method: str, path: str) -> str:
        raise NotImplementedError

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        if (happens := self.rule(self.command, self.path)) == "reset":
            self.close_connection = True  # with bytes unread, which is a reset for who still sends
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if happens == "hang":
            self.over.wait(120)
            self.close_connection = True
        elif happens == "503":
            self._answer(503, [("Content-Type", "application/xml")], BUSY)
        else:
            self._pass_on(body, lose=happens == "lose")

    def _pass_on(self, body: bytes, *, lose: bool) -> None:
        upstream = http.client.HTTPConnection(self.target, timeout=60)
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            upstream.putheader(name, value)
        upstream.endheaders(body)
        answer = upstream.getresponse()
        data = answer.read()
        upstream.close()
        if lose:
            self.close_connection = True
            return
        hop = {"connection", "transfer-encoding"}
        self._answer(
            answer.status, [each for each in answer.getheaders() if each[0].lower() not in hop], data
        )

    def _answer(self, status: int, head: list[tuple[str, str]], data: bytes) -> None:
        self.send_response_only(status)
        for name, value in head:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in head):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def faulty_server(target: str, rule: Rule) -> Iterator[str]:
    """Pass everything on to `target` but for what `rule` decides; the address of the server between."""
    over = threading.Event()
    facts = {"target": urlsplit(target).netloc, "over": over, "rule": staticmethod(rule)}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Between,), facts))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()
