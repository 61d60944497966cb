"""The program behind the adapters `text` and `mail`: rewrites files, and tells in JSON what became of each.

It is started as a script, confined, and knows nothing of Holdfast. Standard input is a JSON list of
``{source, folder, recipe, arguments}``; on standard output it answers each with a line
``{files, message, skipped, before, after}``.
"""

import codecs
import email
import email.policy
import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import HeaderParser
from email.utils import format_datetime, formataddr
from pathlib import Path
from typing import Any

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
TO, CC, BCC = 1, 2, 3
EMBEDDED = 8
"""How deep messages may lie in messages."""
KEPT = {
    "from",
    "to",
    "cc",
    "date",
    "subject",
    "message-id",
    "in-reply-to",
    "references",
    "reply-to",
    "received",
}
_LINE_ENDS = re.compile(r"\r\n?")


def utf_8(source: Path, folder: Path, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Write text as UTF-8, if its encoding is known and every byte can be won back from the copy."""
    data = source.read_bytes()
    for mark, name in MARKS:
        if data.startswith(mark):
            encoding, body = name, data[len(mark) :]
            break
    else:
        mark, encoding, body = b"", arguments.get("assume", ""), data
    if encoding in {"", "utf-8"} and not mark:
        if _is_utf_8(data):
            return {"skipped": True, "message": "It is UTF-8 already."}
        raise ValueError("its encoding is not known: there is no byte order mark, and it is not UTF-8")
    text = body.decode(encoding)
    if text.encode(encoding) != body:
        raise ValueError(f"as {encoding} it cannot be won back byte for byte")
    if "\0" in text:
        raise ValueError(f"as {encoding} it holds NUL, and is no text")
    target = folder / "1.txt"
    target.write_bytes(text.encode())
    return {
        "files": [target.name],
        "message": f"from {encoding}" + (" with a byte order mark" if mark else ""),
        "before": {"text_hash": _digest(text)},
        "after": {"text_hash": _digest(target.read_bytes().decode())},
    }


def _is_utf_8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def emlx(source: Path, folder: Path, _: Mapping[str, Any]) -> dict[str, Any]:
    """Take the message out of what Apple Mail stores: its length in a line, the message, a property list."""
    data = source.read_bytes()
    length, _newline, rest = data.partition(b"\n")
    size = int(length.strip())
    message = rest[:size]
    if len(message) != size or not message:
        raise ValueError(f"it says that the message has {size} bytes, and has {len(message)}")
    target = folder / "1.eml"
    target.write_bytes(message)
    digest = hashlib.sha256(message).hexdigest()
    again = hashlib.sha256(target.read_bytes()).hexdigest()
    return {"files": [target.name], "before": {"text_hash": digest}, "after": {"text_hash": again}}


def msg(source: Path, folder: Path, _: Mapping[str, Any]) -> dict[str, Any]:
    """Write an Outlook message as MIME: headers, bodies and attachments ([MS-OXMSG])."""
    import olefile  # noqa: PLC0415  # only here

    with olefile.OleFileIO(str(source)) as container:
        lost: list[str] = []
        message = _Outlook(container, "", lost).message(0)
    target = folder / "1.eml"
    target.write_bytes(message.as_bytes(policy=email.policy.SMTP))
    wanted = _texts(message)
    with target.open("rb") as stream:
        found = _texts(email.message_from_binary_file(stream, policy=email.policy.default))
    return {
        "files": [target.name],
        "message": "; ".join(dict.fromkeys(lost)),
        "before": {"text_hash": _digest(wanted)},
        "after": {"text_hash": _digest(found)},
    }


def _texts(message: Any) -> str:
    """Return subject, bodies and the digests of attachments, with line ends made the same."""
    parts = [str(message.get("subject", ""))]
    for part in message.walk():
        if part.is_multipart():
            continue
        content = part.get_content()
        if isinstance(content, bytes):
            content = hashlib.sha256(content).hexdigest()
        parts += [
            part.get_content_type(),
            part.get_filename() or "",
            _LINE_ENDS.sub("\n", str(content)).rstrip(),
        ]
    return "\0".join(parts)


class _Outlook:
    """One message in a compound file, at `place` (empty, or a storage with a slash at its end)."""

    def __init__(self, container: Any, place: str, lost: list[str]) -> None:
        self._container = container
        self._place = place
        self._lost = lost

    def message(self, depth: int) -> EmailMessage:
        """Return it as MIME."""
        made = EmailMessage(policy=email.policy.default)
        self._head(made)
        plain, html = self._text("1000"), self._html()
        if plain is not None or html is None:
            made.set_content(plain or "", cte="quoted-printable")
        if html is not None and plain is not None:
            made.add_alternative(html, subtype="html", cte="quoted-printable")
        elif html is not None:
            made.set_content(html, subtype="html", cte="quoted-printable")
        if plain is None and html is None and self._data("10090102"):
            self._lost.append("the body is in RTF alone, and is not in the copy")
        for storage in self._storages("__attach_version1.0_#"):
            _Outlook(self._container, f"{self._place}{storage}/", self._lost).attach_to(made, depth)
        return made

    def _head(self, made: EmailMessage) -> None:
        """Take over the headers that the message was sent with; without them, what Outlook shows."""
        told = HeaderParser(policy=email.policy.compat32).parsestr(self._text("007D") or "")
        for name, value in told.items():
            if name.lower() in KEPT and (name not in made or name.lower() == "received"):
                made[name] = _one_line(str(value))
        sender = " ".join(
            filter(None, (self._text("0C1A"), _angled(self._text("5D01") or self._text("0C1F"))))
        )
        shown = {
            "Subject": self._text("0037"),
            "From": sender,
            "To": self._recipients(TO) or self._text("0E04"),
            "Cc": self._recipients(CC) or self._text("0E03"),
            "Bcc": self._recipients(BCC),
            "Date": self._sent(),
            "Message-ID": self._text("1035"),
        }
        for name, text in shown.items():
            if text and name not in made:
                made[name] = _one_line(text)

    def _recipients(self, kind: int) -> str:
        """Return those of one kind, as a list of addresses."""
        found = []
        for storage in self._storages("__recip_version1.0_#"):
            one = _Outlook(self._container, f"{self._place}{storage}/", self._lost)
            if int.from_bytes(one._fixed("0C150003", 8)[:4], "little") == kind:
                address = one._text("39FE") or one._text("3003") or ""
                found.append(formataddr((_one_line(one._text("3001") or ""), _one_line(address))))
        return ", ".join(found)

    def _sent(self) -> str:
        """Return when it was sent, else when it was delivered: ticks of 100 ns since 1601, in UTC."""
        head = 24 if self._place else 32
        ticks = self._fixed("00390040", head) or self._fixed("0E060040", head)
        if not ticks:
            return ""
        since = timedelta(microseconds=int.from_bytes(ticks, "little") // 10)
        return format_datetime(datetime(1601, 1, 1, tzinfo=UTC) + since)

    def _fixed(self, tag: str, head: int) -> bytes:
        """Return the 8 bytes of a property of fixed size; empty where there is none."""
        name = f"{self._place}__properties_version1.0"
        data = self._container.openstream(name).read() if self._container.exists(name) else b""
        wanted = int(tag, 16).to_bytes(4, "little")
        for at in range(head, len(data) - 15, 16):
            if data[at : at + 4] == wanted:
                return bytes(data[at + 8 : at + 16])
        return b""

    def _html(self) -> str | None:
        data = self._data("10130102")
        if data is not None:
            for encoding in ("utf-8", "windows-1252", "latin-1"):
                try:
                    return data.decode(encoding)
                except UnicodeDecodeError:
                    continue
        return self._text("1013")

    def attach_to(self, made: EmailMessage, depth: int) -> None:
        """Add this attachment to a message."""
        name = self._text("3707") or self._text("3704") or "attachment"
        if (data := self._data("37010102")) is not None:
            kind, _, sub = (self._text("370E") or "").partition("/")
            if not sub or kind in {"message", "multipart"}:
                kind, sub = "application", "octet-stream"
            made.add_attachment(data, maintype=kind, subtype=sub, filename=name)
        elif self._storages("__substg1.0_3701000D") and depth < EMBEDDED:
            inner = _Outlook(self._container, f"{self._place}__substg1.0_3701000D/", self._lost)
            made.add_attachment(inner.message(depth + 1), filename=name)
        else:
            self._lost.append(f"the attachment {name} cannot be read, and is not in the copy")

    def _storages(self, beginning: str) -> list[str]:
        place = self._place.rstrip("/").split("/") if self._place else []
        found = self._container.listdir(streams=False, storages=True)
        return sorted(each[-1] for each in found if each[:-1] == place and each[-1].startswith(beginning))

    def _data(self, tag: str) -> bytes | None:
        name = f"{self._place}__substg1.0_{tag}"
        if not self._container.exists(name) or self._container.get_type(name) != 2:  # a stream
            return None
        data: bytes = self._container.openstream(name).read()
        return data

    def _text(self, tag: str) -> str | None:
        for kind, encoding in (("001F", "utf-16-le"), ("001E", "windows-1252")):
            data = self._data(f"{tag}{kind}")
            if data is not None:
                return data.decode(encoding, "replace").rstrip("\0")
        return None


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _angled(address: str | None) -> str:
    return f"<{address}>" if address else ""


RECIPES = {"utf-8": utf_8, "emlx": emlx, "msg": msg}


def answers(jobs: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield an answer for each job."""
    for job in jobs:
        try:
            yield RECIPES[job["recipe"]](Path(job["source"]), Path(job["folder"]), job["arguments"])
        except Exception as error:  # noqa: BLE001  # a hostile file may fail in any way
            yield {
                "error": f"{type(error).__name__}: {error}"
                if not isinstance(error, ValueError)
                else str(error)
            }


if __name__ == "__main__":
    for answer in answers(json.load(sys.stdin)):
        print(json.dumps(answer), flush=True)  # noqa: T201  # it answers there
