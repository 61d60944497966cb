"""The OpenSearch server of a search index: its address, its client, and its troubles in our own words."""

import logging
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from opensearchpy import ConnectionError as NoConnection
from opensearchpy import ConnectionTimeout, OpenSearch, OpenSearchException, SSLError, TransportError
from urllib3 import Timeout

from packages.errors import Conflict, HoldfastError, Invalid, Refused, Unavailable
from packages.findings import finding
from storage.search.errors import REBUILD, LostIndex

_REACHED = 4  # seconds within which a server is there, or away
ASKING = Timeout(connect=_REACHED, read=20)
"""How long we wait for an answer to a search, or to a question about the server itself."""

WRITING = {"request_timeout": Timeout(connect=_REACHED, read=60)}
"""How long we wait until a portion of documents is stored, or an index is made."""

FORM = (
    "HOLDFAST_SEARCH_URL=opensearch://HOST:PORT/PREFIX or opensearch+https://USER:PASSWORD@HOST:PORT/PREFIX"
)
_NO_ANSWER = (  # what is raised, a word in it; the first that fits
    (
        SSLError,
        "CERTIFICATE_VERIFY_FAILED",
        "has a certificate that is not trusted",
        "Put that of its authority into SSL_CERT_FILE, or call the server by the name that it was made for.",
    ),
    (SSLError, "", "does not speak TLS", "Without TLS its address begins with opensearch://."),
    (ConnectionTimeout, "", "did not answer in time", "Look after it, then try again."),
    (NoConnection, "", "cannot be reached", "Start it, or set HOLDFAST_SEARCH_URL to where it is."),
)
_PREFIX = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_USUAL_PORT = 9200
_CONNECTIONS = 40  # that are kept, for as many threads; else it is one, and a warning for each more

# What goes wrong is raised in our words; the library would log each with a traceback as well.
logging.getLogger("opensearch").setLevel(logging.CRITICAL)


class NotTaken(Unavailable):
    """The server does not take this request: what is in it is at fault, such as a document."""


class TooLarge(NotTaken):
    """The server takes no request of this size."""


class SearchServer:
    """Gives a client for the server in `url`, and translates what it raises; nothing is asked of it yet.

    Certificates are verified, by the certificates of the machine or those in ``SSL_CERT_FILE``. Raises
    Refused for an address that is none of `FORM`.
    """

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or _USUAL_PORT
        except ValueError:
            raise _not_understood() from None
        self.prefix = parts.path.strip("/")
        if not host or not _PREFIX.fullmatch(self.prefix) or parts.query or parts.fragment:
            raise _not_understood()
        secure = parts.scheme == "opensearch+https"
        self.name = f"{parts.scheme}://{host}:{port}"
        self.client: Any = OpenSearch(
            [{"host": host, "port": port}],
            http_auth=_credentials(parts.username, parts.password or "") if parts.username else None,
            use_ssl=secure,
            ssl_context=ssl.create_default_context() if secure else None,
            timeout=ASKING,
            max_retries=1,  # the server gave the connection up meanwhile; every request may be repeated
            retry_on_timeout=False,
            pool_maxsize=_CONNECTIONS,
        )

    @contextmanager
    def asking(self) -> Iterator[Any]:
        """Give the client; what it raises becomes Unavailable, LostIndex, NotTaken or Conflict."""
        try:
            yield self.client
        except OpenSearchException as error:
            raise self._translated(error) from error

    def unavailable(self, reason: str) -> Unavailable:
        """Return the error that says that the server could not do what was asked now."""
        return Unavailable(f"The search server {self.name} cannot be used now ({reason}).", hint="Try again.")

    def lost(self) -> LostIndex:
        """Return the error that says that there is no index under our name."""
        return LostIndex(f"The search index {self.prefix} is not there ({self.name}).", hint=REBUILD)

    def _translated(self, error: OpenSearchException) -> HoldfastError:
        server = f"The search server {self.name}"
        for kind, word, said, hint in _NO_ANSWER:
            if isinstance(error, kind) and word in str(error):
                return Unavailable(f"{server} {said}.", hint=hint)
        reason = _reason(error)
        if "maxClauseCount" in reason:
            found = finding("query.too-large", None, problem="the search server takes fewer conditions")
            return Invalid(found.message, hint=found.hint, findings=(found,))
        status = error.status_code if isinstance(error, TransportError) else None
        if status == 400 and error.error == "resource_already_exists_exception":
            return Conflict(f"{server} has an index of this name already.")
        answers: dict[int | None, HoldfastError] = {
            400: NotTaken(f"{server} does not take what it was sent ({reason})."),
            401: Unavailable(f"{server} does not know this user or password.", hint=f"Set {FORM}."),
            403: Unavailable(
                f"{server} does not allow it ({reason}).",
                hint="Look at the rights of the user in HOLDFAST_SEARCH_URL, and at the disk of the server.",
            ),
            404: self.lost(),
            413: TooLarge(f"{server} takes no request of this size."),
        }
        return answers.get(status) or self.unavailable(reason)


def _not_understood() -> Refused:
    return Refused(
        "The address of the search index is not understood.",
        hint=f"Set {FORM}; the prefix has lower-case letters, digits, - and _.",
    )


def _credentials(user: str, password: str) -> tuple[str, str]:
    """Return both so that what is sent are the bytes of UTF-8: the library would encode them as Latin-1."""
    sent_user, sent_password = (unquote(each).encode().decode("latin-1") for each in (user, password))
    return sent_user, sent_password


def _reason(error: OpenSearchException) -> str:
    """Return what the server said, in a line."""
    info = error.info if isinstance(error, TransportError) else None
    said = info.get("error") if isinstance(info, dict) else None
    if isinstance(said, dict):
        said = (said.get("root_cause") or [said])[0].get("reason")
    return " ".join(str(said or info or error).split())[:300]
