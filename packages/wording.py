"""Words for people: numbers in sentences, sizes, times, and names with nothing invisible in them."""

import re

SUSPECT = re.compile(r"[^\x20-\x7e]")
"""What may have to be escaped: all but printable ASCII."""


def counted(number: int, one: str, many: str = "") -> str:
    """Return ``1 file`` or ``2,000 files``; `many` is the plural where it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def printable(text: str) -> str:
    r"""Return `text` in one line that a terminal only shows and never obeys.

    Control characters, line ends, bidirectional and other invisible marks, and lone surrogates (bytes that
    are not UTF-8) are written as ``\n``, ``\x1b``, ``\u202e``, ``\udcff``.
    """
    return SUSPECT.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    character = match[0]
    return character if character.isprintable() else ascii(character)[1:-1]


def size(octets: int) -> str:
    """Return a number of bytes for people, in powers of 1000: ``34.2 KB``."""
    amount = float(octets)
    for unit in ("bytes", "KB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{octets} byte{'s' if octets != 1 else ''}" if unit == "bytes" else f"{amount:.1f} {unit}"


def moment(text: str | None) -> str:
    """Return an RFC 3339 time to the minute, for people."""
    return f"{text[:10]} {text[11:16]}Z" if text and len(text) > 16 else text or ""
