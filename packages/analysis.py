"""How text becomes terms: one analysis for documents and queries, so that every search backend agrees.

A term is a run of letters and digits with case and accents folded: ``Ærø``, ``ÆRØ`` and ``aero`` are one.
Scripts written without blanks (Han, kana, Thai, …) give one term a character; a typed word of several terms
is searched as a phrase, so they still stand together.

Stemming is the weakest that people miss when it is absent: English plurals (after Harman's S-stemmer), for
every ASCII word whatever its language. Real stemmers need to know the language of each text, which deposited
records seldom tell rightly, and they conflate names and codes; this one only joins what a final *s* parts, on
both sides alike, so it can add a false hit now and then but never lose a right one.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

VERSION = 1
"""Goes up when terms change: an index made with another version has to be rebuilt."""

MAX_TERM = 100
"""Characters of a term that count; longer runs are cut on both sides alike."""

_ASCII_WORD = re.compile(r"[A-Za-z0-9]+")
_BLANKS = re.compile(r"\s+")
_ARK = re.compile(r"(?:https?://[^/]+/)?ark:/?(.+)", re.DOTALL)
_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)?(10\.\d{4,}/.+)", re.DOTALL | re.ASCII)
# Letters that Unicode does not take apart, but people type plainly.
_PLAIN = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ħ": "h", "\u0131": "i"}
)
# Invisible characters inside words: soft hyphen, zero-width non-joiner and joiner, word joiner.
_INVISIBLE = {"\u00ad", "\u200c", "\u200d", "\u2060"}
# Scripts that put no blanks between words: (first, last) code points.
_UNSPACED = (
    ("\u0e00", "\u0eff"),  # Thai, Lao
    ("\u1000", "\u109f"),  # Myanmar
    ("\u1780", "\u17ff"),  # Khmer
    ("\u3040", "\u30ff"),  # Hiragana, Katakana
    ("\u31f0", "\u31ff"),  # Katakana extensions
    ("\u3400", "\u4dbf"),  # Han extension A
    ("\u4e00", "\u9fff"),  # Han
    ("\uf900", "\ufaff"),  # Han compatibility
    ("\uff66", "\uff9f"),  # half-width Katakana
    ("\U00020000", "\U0003ffff"),  # further Han
)


@dataclass(frozen=True, slots=True)
class Token:
    """A term and where it stands: ``text[start:end]`` of the text it was found in."""

    term: str
    start: int
    end: int


def tokens(text: str) -> Iterator[Token]:
    """Yield the terms of `text` in order, with their places."""
    if text.isascii():
        for found in _ASCII_WORD.finditer(text):
            yield Token(stem(found.group().lower()[:MAX_TERM]), found.start(), found.end())
        return
    for start, end in _spans(text):
        # Folding may bring out several words (a half is 1, 2) or none; they share the place.
        folded = fold(text[start:end])
        for first, last in _spans(folded):
            yield Token(stem(folded[first:last][:MAX_TERM]), start, end)


def terms(text: str) -> list[str]:
    """Return the terms of `text` in order."""
    if text.isascii():  # as `tokens`, without the places
        return [stem(word[:MAX_TERM]) for word in _ASCII_WORD.findall(text.lower())]
    return [token.term for token in tokens(text)]


def prefix_terms(text: str) -> tuple[list[str], frozenset[str]]:
    """Return the terms of a text whose last word may go on, and whole terms that are as good as the last.

    The last term is not stemmed: words in the index that start with it do so unstemmed, too, except where
    their ending fell to the stemmer (``librari*`` is to find *libraries*, indexed as ``library``): those
    stems are the second part of the answer.
    """
    found = list(tokens(text))
    if not found:
        return [], frozenset()
    last = found[-1]
    words = [fold(text[last.start : last.end])[a:b] for a, b in _spans(fold(text[last.start : last.end]))]
    word = words[-1][:MAX_TERM]
    whole = {stem((word + ending)[:MAX_TERM]) for ending in ("", "s", "es")}
    return [*(token.term for token in found[:-1]), word], frozenset(
        term for term in whole if not term.startswith(word)
    )


def fold(text: str) -> str:
    """Return `text` without differences of case, accents and compatibility forms; idempotent."""
    if text.isascii():
        return text.lower()
    # To a fixed point: casefolding and decomposing feed each other for a few characters (U+0345, U+1E9E).
    for _ in range(4):
        plain = unicodedata.normalize("NFKD", text.casefold()).translate(_PLAIN)
        kept = "".join(c for c in plain if c not in _INVISIBLE and not _is_accent(c))
        folded = unicodedata.normalize("NFC", kept)
        if folded == text:
            break
        text = folded
    return text


def stem(term: str) -> str:
    """Return `term` without an English plural ending; terms with anything but a-z are left alone."""
    if len(term) < 4 or term[-1] != "s" or not (term.isascii() and term.isalpha()):
        return term
    if term.endswith("ies"):
        return term if term[-4] in "ae" else term[:-3] + "y"
    if term.endswith("es"):
        return term if term[-3] in "aeo" else term[:-1]
    return term if term[-2] in "us" else term[:-1]


def keyword(text: str) -> str:
    """Return the form in which values are compared as a whole: folded, blanks run together."""
    return _BLANKS.sub(" ", fold(text)).strip()


def identifier(text: str) -> str:
    """Return the form in which identifiers are compared.

    Case, resolvers in front of ARKs and DOIs, the slash of ``ark:/`` and hyphens in an ARK do not count.
    """
    plain = _BLANKS.sub(" ", text).strip().casefold()
    if ark := _ARK.fullmatch(plain):
        return "ark:" + ark[1].replace("-", "").rstrip("/")
    if doi := _DOI.fullmatch(plain):
        return "doi:" + doi[1]
    return plain


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each word; a character of an unspaced script is a word with its marks."""
    start = -1
    alone = False
    for at, char in enumerate(text):
        if char.isalnum():
            unspaced = char > "\u0dff" and any(low <= char <= high for low, high in _UNSPACED)
            if start >= 0 and (unspaced or alone):
                yield start, at
                start = -1
            if start < 0:
                start = at
            alone = unspaced
        elif start >= 0 and char not in _INVISIBLE and unicodedata.category(char)[0] != "M":
            yield start, at
            start = -1
    if start >= 0:
        yield start, len(text)


def _is_accent(char: str) -> bool:
    # Accents of Latin, Greek, Cyrillic (200 and up), points of Hebrew and Arabic (10 to 36). Vowel signs,
    # viramas and voicing marks of other scripts are letters to their readers and stay.
    place = unicodedata.combining(char)
    return place >= 200 or 10 <= place <= 36
