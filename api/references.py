"""How a package is named in an address: by its id, the beginning of it, an OAI id or a PID, slash and all.

``{id:reference}`` in a route takes ``ark:99999/hf1x5k2r`` as one piece, percent-encoded or not: servers
decode ``%2F`` before anybody can see it.
"""

from typing import Annotated

from fastapi import Path
from starlette.convertors import Convertor, register_url_convertor


class ReferenceConvertor(Convertor[str]):
    """Takes an ARK (old slash or not) or a DOI with the slash inside it, and of all else one segment."""

    regex = r"(?:[aA][rR][kK]:/?[^/]+/[^/]+|10\.[0-9.]+/[^/]+|[^/]+)"

    def convert(self, value: str) -> str:
        """Return the text that was matched."""
        return value

    def to_string(self, value: str) -> str:
        """Return the text as it stands in an address."""
        return value


register_url_convertor("reference", ReferenceConvertor())

Reference = Annotated[
    str,
    Path(
        alias="id",
        description="A package id, its unambiguous beginning, or a persistent identifier.",
        examples=["7f3c9a21"],
    ),
]
