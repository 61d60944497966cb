"""The receipt: what the archive tells a depositor that it has taken in; kept in the AIP."""

import json
from dataclasses import asdict, dataclass, fields

from packages.errors import Corrupt

RECEIPT_NAME = "metadata/receipt.json"
FORMAT = "https://holdfast.example/schemas/receipt-1.0.json"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was taken in, from whom and when.

    `manifest` is ``sha512:…`` of the SIP's ``manifest-sha512.txt``, which names every file with its digest:
    whoever has that list can prove what was deposited. Times are RFC 3339 in UTC; `bytes` and `files` count
    the payload.
    `predecessor` is the rejected package that this one corrects. `test_identifier` tells that the PID cannot
    be cited.
    """

    id: str
    version: int
    title: str
    owner: str
    manifest: str
    files: int
    bytes: int
    received: str
    issued: str
    agent: str
    pid: str | None = None
    oai_id: str | None = None
    test_identifier: bool = False
    source_name: str | None = None
    predecessor: str | None = None


def dump_receipt(receipt: Receipt) -> bytes:
    """Return the receipt as JSON in UTF-8; the same receipt gives the same bytes.

    Lone surrogates become question marks.
    """
    text = json.dumps({"$schema": FORMAT, **asdict(receipt)}, ensure_ascii=False, indent=2) + "\n"
    return text.encode("utf-8", "replace")


def parse_receipt(data: bytes) -> Receipt:
    """Read a receipt that `dump_receipt` wrote; unknown fields are ignored.

    Raises Corrupt for anything else.
    """
    try:
        said = json.loads(data)
        return Receipt(**{each.name: said[each.name] for each in fields(Receipt) if each.name in said})
    except (ValueError, TypeError) as error:
        raise Corrupt(f"the receipt cannot be read: {error}") from error
