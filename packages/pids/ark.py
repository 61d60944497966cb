"""ARKs: ``ark:`` NAAN ``/`` shoulder, twelve betanumerics, check character (draft-kunze-ark, NOID).

The twelve betanumerics (29 ** 12, about 58 bits) are hashed from the package's UUID: no counter that two
machines could share badly, and the same package always gets the same name. The catalogue refuses the one in
10 ** 17 that another package already bears.
"""

import hashlib
import re
import uuid
from dataclasses import dataclass

from packages.errors import Invalid

BETANUMERIC = "0123456789bcdfghjkmnpqrstvwxz"
TEST_NAAN = "99999"
BLADE = 12
_RADIX = len(BETANUMERIC)
_VALUE = {character: value for value, character in enumerate(BETANUMERIC)}
_HYPHENS = dict.fromkeys(map(ord, "-\u00ad\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"))
NAAN = re.compile(r"[0-9bcdfghjkmnpqrstvwxz]{5,9}")
_SHOULDER = re.compile(r"[bcdfghjkmnpqrstvwxz]{1,6}[0-9]")
_ARK = re.compile(
    r"(?:.*?/)?ark:/?(?P<naan>[^/?#\s]+)/(?P<name>[^/?#.\s]+)(?P<rest>[/.?#].*)?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Ark:
    """An ARK in its parts; `qualifier` is what follows the name: ``/part``, ``.variant``, ``?info``."""

    naan: str
    name: str
    qualifier: str = ""

    def __str__(self) -> str:
        return f"ark:{self.naan}/{self.name}"


def mint(package_id: str, naan: str = TEST_NAAN, shoulder: str = "hf1") -> str:
    """Return the ARK of a package, a pure function of its UUID: ``ark:99999/hf1…``.

    Raises Invalid for a NAAN or shoulder that is not betanumeric, or so long that the check character could
    not find every single error (NOID: fewer than 29 characters), and for what is not a UUID.
    """
    if not NAAN.fullmatch(naan):
        raise Invalid(
            f"{naan!r} is not a NAAN", hint="A NAAN is five digits or betanumeric letters, such as 99999."
        )
    if not _SHOULDER.fullmatch(shoulder) or len(naan) + 1 + len(shoulder) + BLADE + 1 >= _RADIX:
        raise Invalid(
            f"{shoulder!r} is not a shoulder", hint="A shoulder is some consonants and one digit: hf1."
        )
    try:
        number = int.from_bytes(hashlib.sha256(uuid.UUID(package_id).bytes).digest())
    except ValueError:
        raise Invalid(f"{package_id!r} is not a UUID") from None
    blade = []
    for _ in range(BLADE):
        number, digit = divmod(number, _RADIX)
        blade.append(BETANUMERIC[digit])
    base = f"{naan}/{shoulder}{''.join(blade)}"
    return f"ark:{base}{check_character(base)}"


def check_character(base: str) -> str:
    """Return NOID's check character over ``NAAN/name``: the sum of position times value, modulo 29.

    Positions count from 1; a character outside the alphabet is worth 0. Any one wrong character and any two
    that changed places are found in strings of fewer than 29 characters.
    """
    total = sum(position * _VALUE.get(character, 0) for position, character in enumerate(base, 1))
    return BETANUMERIC[total % _RADIX]


def parse(text: str) -> Ark:
    """Read an ARK in any spelling: ``ark:`` or ``ark:/``, hyphenated, behind a resolver's address.

    Hyphens mean nothing in an ARK and are dropped; the NAAN is lower-cased, the name is not. Raises Invalid.
    """
    match = _ARK.fullmatch(text.strip())
    naan = match["naan"].translate(_HYPHENS).lower() if match else ""
    name = match["name"].translate(_HYPHENS) if match else ""
    if match is None or not name or not NAAN.fullmatch(naan):
        raise Invalid(f"{text[:200]!r} is not an ARK", hint="An ARK looks like ark:99999/hf1….")
    return Ark(naan, name, match["rest"] or "")


def normalise(text: str) -> str:
    """Return the ARK as the catalogue keeps it: ``ark:NAAN/name``, without qualifier. Raises Invalid."""
    return str(parse(text))


def is_intact(text: str) -> bool:
    """Tell whether the check character of an ARK agrees; False too for what is no ARK at all."""
    try:
        ark = parse(text)
    except Invalid:
        return False
    return len(ark.name) > 1 and check_character(f"{ark.naan}/{ark.name[:-1]}") == ark.name[-1]
