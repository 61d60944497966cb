"""How much one client may ask: a bucket of tokens for each address, filled at a steady rate."""

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

CLIENTS = 10_000
"""Clients that are remembered; who comes back after so many others finds a full bucket."""


class Buckets:
    """A bucket for each client: it holds `most` tokens and gets `per_second`. For one thread."""

    def __init__(self, most: float, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._rate = per_second
        self._clock = clock
        self._clients: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> float:
        """Take a token and return 0, or take none and return the seconds until there is one."""
        wait = self.wait(client)
        if not wait:
            self._put(client, self._left(client) - 1)
        return wait

    def wait(self, client: str) -> float:
        """Return the seconds until the client has a token."""
        return max(0.0, (1 - self._left(client)) / self._rate)

    def _left(self, client: str) -> float:
        left, at = self._clients.get(client, (self._most, 0.0))
        return min(self._most, left + (self._clock() - at) * self._rate)

    def _put(self, client: str, left: float) -> None:
        self._clients[client] = (left, self._clock())
        self._clients.move_to_end(client)
        if len(self._clients) > CLIENTS:
            self._clients.popitem(last=False)


def client_of(address: str) -> str:
    """Return who counts as one client: an address, or the network of 64 bits that an IPv6 address lies in."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return parsed.exploded[:19]
    return str(parsed)
