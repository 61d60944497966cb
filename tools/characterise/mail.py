"""E-mail: single messages (EML, MHTML) and mailboxes (mbox), of which every message is counted."""

import re
from datetime import UTC
from email import policy
from email.errors import MessageError
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from tools.characterise import text

WHOLE = 32 << 20
HEADERS = 1 << 20
BOX = 512 << 20
CHUNK = 4 << 20
MOST_NAMES = 50
FIELDS = {
    "from": "the header From",
    "to": "the header To",
    "cc": "the header Cc",
    "subject": "the header Subject, decoded",
    "date": "the header Date, as RFC 3339 in UTC; as written where it is no date",
    "message_id": "the header Message-ID",
    "in_reply_to": "the header In-Reply-To",
    "content_type": "type of the whole message",
    "parts": "how many parts that hold no other parts",
    "attachments": "how many parts are attachments",
    "attachment_names": "their names, at most 50",
    "encrypted": "true where S/MIME or PGP encrypts it",
    "signed": "true where S/MIME or PGP signs it",
    "defects": "how many defects the parser names",
    "messages": "of a mailbox: how many",
    "first_date": "of a mailbox: the earliest header Date",
    "last_date": "of a mailbox: the latest header Date",
    "judged_bytes": "how many bytes were read, where the file is longer",
}
BOUNDS = (
    "A message is read whole up to 32 MiB, of a longer one the headers (1 MiB); a mailbox up to 512 MiB, in"
    " pieces of 4 MiB."
)
_LINES = re.compile(
    rb"^(?:(From )|(Date:[^\r\n]*)|(Content-Disposition:[ \t]*attachment)|(\r?\n))",
    re.MULTILINE | re.IGNORECASE,
)
tool = text.tool


def read(path: Path) -> dict[str, Any]:
    """Return what a message or a mailbox says of itself."""
    with path.open("rb") as source:
        is_box = source.read(5) == b"From "
    return _Mailbox().read(path) if is_box else _message(path)


def _message(path: Path) -> dict[str, Any]:
    data, partial = text.beginning(path, WHOLE)
    if partial:
        message = BytesHeaderParser(policy=policy.default).parsebytes(data[:HEADERS])
        return _headers(message) | {"judged_bytes": HEADERS}
    message = BytesParser(policy=policy.default).parsebytes(data)
    found = _headers(message)
    leaves = [each for each in message.walk() if not each.is_multipart()]
    attached = [each for each in message.walk() if each.get_content_disposition() == "attachment"]
    kinds = {each.get_content_type() for each in message.walk()}
    found |= {
        "content_type": message.get_content_type(),
        "parts": len(leaves),
        "attachments": len(attached),
        "attachment_names": [each.get_filename() or "unnamed" for each in attached[:MOST_NAMES]],
        "encrypted": "multipart/encrypted" in kinds or _is_enveloped(message) or None,
        "signed": "multipart/signed" in kinds or None,
        "defects": sum(len(each.defects) for each in message.walk()) or None,
    }
    return found


def _is_enveloped(message: EmailMessage) -> bool:
    return message.get_content_type() in {"application/pkcs7-mime", "application/x-pkcs7-mime"}


def _headers(message: EmailMessage) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for header in ("From", "To", "Cc", "Subject", "Message-ID", "In-Reply-To"):
        found[header.lower().replace("-", "_")] = _header(message, header)
    said = _header(message, "Date")
    found["date"] = moment(said) or said
    if not any(found.values()) and "Content-Type" not in message:
        raise ValueError("it has none of the headers of a message")
    return found


def _header(message: EmailMessage, name: str) -> str | None:
    try:
        value = message.get(name)
        return None if value is None else str(value)
    except (ValueError, IndexError, AttributeError, TypeError, LookupError, MessageError):
        return "unreadable"  # the library stumbles over some malformed headers


def moment(said: str | None) -> str | None:
    """Return a mail's date as RFC 3339 in UTC, or None where it is none."""
    try:
        when = parsedate_to_datetime(said or "")
        return when.replace(tzinfo=when.tzinfo or UTC).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


class _Mailbox:
    """Counts the messages of an mbox while it streams by."""

    def __init__(self) -> None:
        self._messages = 0
        self._attachments = 0
        self._dates: list[str] = []
        self._in_headers = False
        self._after_blank = True

    def read(self, path: Path) -> dict[str, Any]:
        """Return the counts, of the first `BOX` bytes at most."""
        done, rest = 0, b""
        with path.open("rb") as source:
            while done < BOX and (piece := source.read(CHUNK)):
                done += len(piece)
                whole, newline, rest = (rest + piece).rpartition(b"\n")
                if len(rest) > CHUNK:
                    rest = b""  # a line of that length is no header
                self._take(whole + newline)
            self._take(rest)
            partial = bool(source.read(1))
        dates = self._dates
        return {
            "messages": self._messages,
            "attachments": self._attachments,
            "first_date": dates[0] if dates else None,
            "last_date": dates[-1] if dates else None,
            "judged_bytes": done if partial else None,
        }

    def _take(self, piece: bytes) -> None:
        end = -1
        for found in _LINES.finditer(piece):
            kind = found.lastindex
            if kind == 4:
                self._in_headers = False
                end = found.end()
                continue
            is_after_blank = found.start() == end or (found.start() == 0 and self._after_blank)
            if kind == 1 and is_after_blank and found.group(1) == b"From ":
                self._messages += 1
                self._in_headers = True
            elif kind == 2 and self._in_headers:
                self._note(found.group(2)[5:].decode("latin-1").strip())
            elif kind == 3:
                self._attachments += 1
        if piece:
            self._after_blank = piece.endswith((b"\n\n", b"\n\r\n")) or piece in {b"\n", b"\r\n"}

    def _note(self, said: str) -> None:
        if when := moment(said):
            self._dates = sorted({*self._dates, when})
            self._dates = [self._dates[0], self._dates[-1]]
