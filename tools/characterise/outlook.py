"""Outlook messages (MSG) by olefile, and of its mailboxes (PST) which form they have."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import olefile

from tools.characterise import ole

MOST = 1 << 20
FIELDS = {
    "from": "name and address of the sender",
    "to": "as displayed",
    "cc": "as displayed",
    "subject": "the subject",
    "date": "when it was sent, as RFC 3339 in UTC",
    "message_id": "the internet Message-ID",
    "attachments": "how many",
    "mailbox_form": "of a PST: ANSI or Unicode",
    "mailbox_encoding": "of a PST: none, permute or cyclic; neither hides anything",
}
BOUNDS = "Single properties up to 1 MiB; of a mailbox its header."
tool = ole.tool
_TEXTS = {"0037": "subject", "0E04": "to", "0E03": "cc", "1035": "message_id"}
_SENT = (b"\x40\x00\x39\x00", b"\x40\x00\x06\x0e")  # client submit time, message delivery time
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_MAILBOX, _FIRST_UNICODE = b"!BDN", 21
_ENCODINGS = {0: "none", 1: "permute", 2: "cyclic"}


def read(path: Path) -> dict[str, Any]:
    """Return sender, recipients, subject, date and attachments; of a mailbox what its header tells."""
    with path.open("rb") as stream:
        head = stream.read(0x202)
    if head.startswith(_MAILBOX):
        return _mailbox(head)
    with olefile.OleFileIO(str(path)) as message:
        found: dict[str, Any] = {name: _text(message, tag) for tag, name in _TEXTS.items()}
        sender = [
            each
            for each in (_text(message, "0C1A"), _text(message, "5D01") or _text(message, "0C1F"))
            if each
        ]
        found["from"] = " ".join(sender) or None
        top = {entry[0] for entry in message.listdir(streams=False, storages=True)}
        found["attachments"] = sum(each.startswith("__attach_version1.0_#") for each in top)
        found["date"] = _sent(message)
    return found


def _mailbox(head: bytes) -> dict[str, Any]:
    """Read the header of a PST ([MS-PST] 2.2.2.6)."""
    if len(head) < 0x202:
        raise ValueError("its header is cut")
    is_unicode = int.from_bytes(head[10:12], "little") >= _FIRST_UNICODE
    return {
        "mailbox_form": "Unicode" if is_unicode else "ANSI",
        "mailbox_encoding": _ENCODINGS.get(head[0x201 if is_unicode else 0x1CD]),
    }


def _text(message: Any, tag: str) -> str | None:
    for kind, encoding in (("001F", "utf-16-le"), ("001E", "latin-1")):
        name = f"__substg1.0_{tag}{kind}"
        if message.exists(name):
            return str(message.openstream(name).read(MOST).decode(encoding, "replace")).strip("\0 ")
    return None


def _sent(message: Any) -> str | None:
    if not message.exists("__properties_version1.0"):
        return None
    data = message.openstream("__properties_version1.0").read(MOST)
    for start in range(32, len(data) - 15, 16):
        if data[start : start + 4] in _SENT:
            ticks = int.from_bytes(data[start + 8 : start + 16], "little")
            try:
                return (_EPOCH + timedelta(microseconds=ticks // 10)).strftime("%Y-%m-%dT%H:%M:%SZ")
            except OverflowError:
                return None
    return None
