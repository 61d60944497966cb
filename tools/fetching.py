"""Fetch what a bag's ``fetch.txt`` names, from where the archive's operator allows it and from nowhere else.

A depositor writes the URLs, so each is a question to be forged (server-side request forgery): each hop is
held to the allow-list, the address that a name resolves to is looked at before it is called and is the one
that is called, no proxy of the environment is used, and nothing that was announced is believed.
"""

import http.client
import io
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from packages.bagit.fetch import Allowed, why_not
from packages.errors import Refused, Unavailable
from packages.policies import FETCH_SILENCE_SECONDS, FETCH_SLOWEST

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

HOPS = 5
"""Redirects that are followed, one after the other."""
_PATIENCE = 60  # seconds before a slow answer is judged by its pace
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL = frozenset({"localhost"})


class NotFetched(Refused):
    """A rule or the answer itself forbids to take the file; asking again would change nothing."""


class Body:
    """The content of one answer: reads like a stream, and raises where it is not as announced."""

    def __init__(self, response: http.client.HTTPResponse, length: int | None) -> None:
        self._response = response
        self._length = length
        self._size = 0

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill `buffer`; 0 at the end. Raises NotFetched for a wrong length, Unavailable for a broken one."""
        with _network():
            count = self._response.readinto(buffer)
        if not count and self._response.length:
            raise Unavailable("the connection ended before all had come", hint="try again later")
        self._size += count
        if self._length is not None and self._size > self._length:
            raise NotFetched(f"more comes than the {self._length} bytes that fetch.txt says")
        if not count and self._length is not None and self._size < self._length:
            raise NotFetched(f"{self._size} bytes came, and fetch.txt says {self._length}")
        return count


class Fetcher:
    """Asks for files by HTTP; `allowed` is the archive's list of places."""

    def __init__(self, allowed: Sequence[Allowed], *, silence: float = FETCH_SILENCE_SECONDS) -> None:
        self.allowed = tuple(allowed)
        self._silence = silence

    @contextmanager
    def open(self, url: str, length: int | None) -> Iterator[Body]:
        """Give what lies at `url`, as a stream of `length` bytes (None: not known).

        Raises NotFetched where a rule, a redirect, the server's refusal or the length forbids it, and
        Unavailable where the network or the server has trouble that may pass.
        """
        for _ in range(HOPS + 1):
            if reason := why_not(url, self.allowed):
                raise NotFetched(reason)
            connection = self._connection(url)
            try:
                response = self._ask(connection, url)
                if response.status not in _REDIRECTS:
                    yield Body(_judged(response, length), length)
                    return
                url = _next(url, response)
            finally:
                connection.close()
        raise NotFetched(f"it leads from one place to another more than {HOPS} times")

    def _connection(self, url: str) -> http.client.HTTPConnection:
        parts = urlsplit(url)
        host, port = str(parts.hostname), parts.port
        if parts.scheme == "https":
            return _Secure(host, port, timeout=self._silence, context=self._tls)
        return _Plain(host, port, timeout=self._silence)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    @staticmethod
    def _ask(connection: http.client.HTTPConnection, url: str) -> http.client.HTTPResponse:
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        with _network():
            headers = {"Accept-Encoding": "identity", "User-Agent": "Holdfast", "Connection": "close"}
            connection.request("GET", target, headers=headers)
            return connection.getresponse()


class _Paced(io.RawIOBase):
    """What comes from a server, head and body: judged by its pace at each piece, however small it is."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self._begun = time.monotonic()
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int | None:
        count: int | None = self._raw.readinto(buffer)
        self._size += count or 0
        lasted = time.monotonic() - self._begun
        if lasted > _PATIENCE and self._size < lasted * FETCH_SLOWEST:
            raise Unavailable("the server sends too slowly", hint="try again later")
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.fp = io.BufferedReader(_Paced(self.fp.detach()))  # nothing has been read yet


class _Plain(http.client.HTTPConnection):
    response_class = _Response

    def connect(self) -> None:
        self.sock = _reach(self.host, self.port, self.timeout)


class _Secure(http.client.HTTPSConnection):
    response_class = _Response

    def __init__(self, host: str, port: int | None, *, timeout: float, context: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=timeout, context=context)
        self._tls = context

    def connect(self) -> None:
        plain = _reach(self.host, self.port, self.timeout)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)


def _reach(host: str, port: int, timeout: float | None) -> socket.socket:
    """Connect to a host whose addresses have been looked at, by the very address that was."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    for address in addresses:
        if not is_permitted(host, address):
            raise NotFetched(f"{host} leads to {address}, which is no address of the public network")
    trouble: OSError | None = None
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout)
        except OSError as error:
            trouble = error
    raise trouble or OSError(f"{host} has no address")


def is_permitted(host: str, address: str) -> bool:
    """Tell whether `address` may be called for `host`, which the allow-list names.

    A name must lead into the public network: whoever runs it could otherwise point it at a machine beside
    us. An address that the allow-list names itself, and ``localhost``, are what the operator meant.
    """
    found = _embedded(ipaddress.ip_address(address.partition("%")[0]))
    try:
        return ipaddress.ip_address(host) is not None
    except ValueError:
        if host in _LOCAL:
            return found.is_loopback
    return found.is_global and not found.is_multicast


def _embedded(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the IPv4 address that an IPv6 address stands for, or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1] or address


def _judged(response: http.client.HTTPResponse, length: int | None) -> http.client.HTTPResponse:
    """Return an answer that can be taken, or raise as `Fetcher.open` says."""
    if response.status in _LATER:
        raise Unavailable(f"the server answered {response.status}", hint="try again later")
    if response.status != http.client.OK:
        raise NotFetched(f"the server answered {response.status}")
    if (response.getheader("Content-Encoding") or "identity").lower() != "identity":
        raise NotFetched("the server sends it compressed, though that was not asked for")
    announced = response.length  # None where the server does not say
    if length is not None and announced is not None and announced != length:
        raise NotFetched(f"the server announces {announced} bytes, and fetch.txt says {length}")
    return response


def _next(url: str, response: http.client.HTTPResponse) -> str:
    """Return where a redirect leads."""
    location = response.getheader("Location")
    if not location:
        raise NotFetched(f"the server answered {response.status} without saying where to")
    there = urljoin(url, location)
    if url.startswith("https:") and not there.startswith("https:"):
        raise NotFetched("it leads from https to http")
    return there


@contextmanager
def _network() -> Iterator[None]:
    """Turn what goes wrong on the wire into Unavailable."""
    try:
        yield
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        told = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Unavailable(f"it cannot be fetched now: {told}", hint="try again later") from error
