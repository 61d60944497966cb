"""The query language: what a person types into the search box, parsed once for every backend.

======================  ================================================================
``coast``, ``coast*``   a word, the start of one; in any text field, or a whole identifier
``"west coast"``        a phrase
``creator:smith``       in one field (``schemas/search-mapping.json`` lists them and their other names)
``title:(a OR b)``      several in one field
``a b``, ``a AND b``    both
``a OR b``              either; binds less than AND
``-a``, ``NOT a``       not
``year:[2001 TO 2010]``  between, inclusive; ``*`` is open; without a field, years are meant
======================  ================================================================

Words that consist of signs alone are ignored. Everything else that cannot be understood raises Invalid with
a position and a hint; nothing that was typed leads to any other error.
"""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

import schemas
from packages import analysis
from packages.errors import Invalid
from packages.findings import finding

MAX_LENGTH = 2_000
"""Characters of a query."""

MAX_PARTS = 100
"""Words, phrases and ranges of a query."""

MAX_DEPTH = 20
"""Parentheses and negations inside each other."""


@dataclass(frozen=True, slots=True)
class Everything:
    """Finds every document."""


@dataclass(frozen=True, slots=True)
class Words:
    """Finds documents where the terms of `text` stand side by side, in one value of the field.

    A single word is the usual case; a phrase, or a word that analysis splits (``e-mail``), has several
    terms. `field` None means any text field, or an identifier that equals `text`. With `prefix` the last
    term may go on.
    """

    field: str | None
    text: str
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Between:
    """Finds documents whose year or date lies within both bounds, inclusive; None is open.

    Bounds are digits (years) or beginnings of ISO dates: ``2026-03`` as a high bound includes all of March.
    """

    field: str
    low: str | None
    high: str | None


@dataclass(frozen=True, slots=True)
class Not:
    """Finds what `part` does not."""

    part: "Node"


@dataclass(frozen=True, slots=True)
class And:
    """Finds what all parts find."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Finds what any part finds."""

    parts: tuple["Node", ...]


Node: TypeAlias = Everything | Words | Between | Not | And | Or


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query; `text` is what was typed."""

    text: str
    root: Node


def parse(text: str) -> Query:
    """Parse `text`; blank text or ``*`` finds everything. Raises Invalid (see the module).

    A byte of a command line that is no UTF-8 comes as a lone surrogate, which no index takes: it is a sign.
    """
    text = text.encode("utf-8", "replace").decode()
    if len(text) > MAX_LENGTH:
        _fail("query.too-large", problem=f"it has {len(text)} characters, {MAX_LENGTH} are understood")
    lexemes = list(_lexemes(text))
    if not lexemes:
        return Query(text, Everything())
    root = _Parser(lexemes, len(text)).whole()
    if root is None:
        _fail("query.no-words")
    return Query(text, root)


def mapping() -> dict[str, Any]:
    """Return ``schemas/search-mapping.json``."""
    found: dict[str, Any] = schemas.load("search-mapping.json")
    return found


def positive_words(node: Node) -> Iterator[Words]:
    """Yield the words and phrases of which a document may be found because it has them."""
    match node:
        case Words():
            yield node
        case And(parts) | Or(parts):
            for part in parts:
                yield from positive_words(part)
        case _:
            return


def narrowing(field: str, value: str) -> str:
    """Return the query text that finds `value` in `field`, for links from a facet; a blank joins several."""
    plain = "".join(" " if char in _QUOTES else char for char in value)
    return f"{field}:{plain}" if field == "year" else f'{field}:"{plain}"'


@dataclass(frozen=True, slots=True)
class _Lexeme:
    kind: str  # ( ) word phrase range
    text: str
    at: int  # from 1
    field: str | None = None
    prefix: bool = False


_FIELD = re.compile(r"([A-Za-z][A-Za-z_]+):")
_RANGE = re.compile(r"\[\s*(\S+)\s+TO\s+([^\s\]]+)\s*\]")
_WORD = re.compile(r"[^\s\"“”„()]+")
_QUOTES = '"“”„'
_YEAR = re.compile(r"[0-9]{1,4}", re.ASCII)
_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?", re.ASCII)


def _lexemes(text: str) -> Iterator[_Lexeme]:
    at = 0
    while at < len(text):
        char = text[at]
        if char.isspace():
            at += 1
        elif char in "()":
            yield _Lexeme(char, char, at + 1)
            at += 1
        elif char == "-" and at + 1 < len(text) and not text[at + 1].isspace():
            yield _Lexeme("-", char, at + 1)
            at += 1
        else:
            lexeme, at = _operand(text, at)
            yield lexeme


def _operand(text: str, start: int) -> tuple[_Lexeme, int]:
    """Read a word, phrase, range or opening parenthesis with the field before it; return where it ends."""
    field, at = _field_before(text, start)
    if text[at] in _QUOTES:
        return _phrase(text, at, field, start + 1)
    if text[at] in "()":
        if text[at] == ")":
            _fail("query.syntax", position=at + 1, problem="“)” closes nothing")
        return _Lexeme("(", "(", start + 1, field), at + 1
    if text[at] == "[":
        between = _RANGE.match(text, at)
        if between:
            return _Lexeme("range", between[0], start + 1, field), between.end()
        if field is not None:
            _fail("query.syntax", position=at + 1, problem="a range is written [low TO high]")
    word = _WORD.match(text, at)
    if word is None:  # cannot be: blanks, quotes and parentheses are dealt with above
        _fail("query.syntax", position=at + 1, problem="it is not text")
    return _Lexeme("word", word[0].rstrip("*"), start + 1, field, word[0].endswith("*")), word.end()


def _field_before(text: str, start: int) -> tuple[str | None, int]:
    """Return the field that is named at `start`, if any, and where what is looked for in it begins."""
    named = _FIELD.match(text, start)
    if named is None or named[1].lower() in mapping()["schemes"]:
        return None, start
    if named.end() < len(text) and not text[named.end()].isspace():
        return _field(named[1], start + 1), named.end()
    if _known(named[1]):
        _fail("query.syntax", position=start + 1, problem=f"nothing follows “{named[0]}”")
    return None, start  # "Report: …" is prose


def _phrase(text: str, at: int, field: str | None, position: int) -> tuple[_Lexeme, int]:
    end = next((n for n in range(at + 1, len(text)) if text[n] in _QUOTES), None)
    if end is None:
        _fail("query.syntax", position=at + 1, problem="the quotation is not closed")
    prefix = text[end + 1 : end + 2] == "*"
    return _Lexeme("phrase", text[at + 1 : end], position, field, prefix), end + 1 + prefix


def _known(name: str) -> str | None:
    name = name.lower()
    name = mapping()["aliases"].get(name, name)
    return name if name in mapping()["fields"] else None


def _field(name: str, position: int) -> str:
    known = _known(name)
    if known is None:
        names = sorted({*mapping()["fields"], *mapping()["aliases"]})
        near = difflib.get_close_matches(name.lower(), names, 1)
        suggestion = f"Perhaps “{near[0]}:” is meant. " if near else ""
        _fail(
            "query.unknown-field",
            field=name,
            position=position,
            suggestion=suggestion,
            fields=", ".join(sorted(mapping()["fields"])),
        )
    return known


class _Parser:
    """Recursive descent over lexemes; a part that has no terms is None and vanishes."""

    def __init__(self, lexemes: list[_Lexeme], end: int) -> None:
        self._lexemes = lexemes
        self._next = 0
        self._end = end
        self._parts = 0
        self._depth = 0

    def whole(self) -> Node | None:
        node = self._either(None)
        if self._next < len(self._lexemes):
            stray = self._lexemes[self._next]
            _fail("query.syntax", position=stray.at, problem=f"“{stray.text}” is not expected here")
        return node

    def _peek(self, *kinds: str) -> bool:
        return self._next < len(self._lexemes) and self._lexemes[self._next].kind in kinds

    def _operator(self, name: str) -> bool:
        """Tell whether the next lexeme is the operator `name`: capitals, no field, no quotes."""
        if not self._peek("word"):
            return False
        lexeme = self._lexemes[self._next]
        return lexeme.text == name and lexeme.field is None and not lexeme.prefix

    def _either(self, field: str | None) -> Node | None:
        found = [self._both(field)]
        while self._operator("OR"):
            self._next += 1
            found.append(self._both(field))
        return _joined(Or, found)

    def _both(self, field: str | None) -> Node | None:
        found = [self._one(field)]
        while self._next < len(self._lexemes) and not self._peek(")") and not self._operator("OR"):
            if self._operator("AND"):
                self._next += 1
            found.append(self._one(field))
        return _joined(And, found)

    def _one(self, field: str | None) -> Node | None:
        if self._next >= len(self._lexemes):
            _fail("query.syntax", position=self._end + 1, problem="a word is missing at the end")
        lexeme = self._lexemes[self._next]
        if lexeme.kind == "-" or self._operator("NOT"):
            self._next += 1
            with_part = self._deeper(lexeme, field, closing=False)
            return None if with_part is None else Not(with_part)
        if lexeme.kind == ")" or self._operator("OR") or self._operator("AND"):
            _fail("query.syntax", position=lexeme.at, problem=f"a word is missing before “{lexeme.text}”")
        self._next += 1
        if lexeme.kind == "(":
            return self._deeper(lexeme, lexeme.field or field, closing=True)
        self._parts += 1
        if self._parts > MAX_PARTS:
            _fail("query.too-large", problem=f"it has more than {MAX_PARTS} parts")
        return _leaf(lexeme, lexeme.field or field)

    def _deeper(self, opening: _Lexeme, field: str | None, *, closing: bool) -> Node | None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            _fail("query.too-large", problem=f"parts lie more than {MAX_DEPTH} deep inside each other")
        node = self._either(field) if closing else self._one(field)
        if closing:
            if not self._peek(")"):
                _fail("query.syntax", position=opening.at, problem="the parenthesis is not closed")
            self._next += 1
        self._depth -= 1
        return node


def _joined(kind: type[And] | type[Or], found: list[Node | None]) -> Node | None:
    parts = tuple(part for part in found if part is not None)
    if len(parts) < 2:
        return parts[0] if parts else None
    return kind(parts)


def _leaf(lexeme: _Lexeme, field: str | None) -> Node | None:
    # A field inside "field:(…)" may be named again; the inner name counts.
    kind = None if field is None else mapping()["fields"][field].get("range")
    if lexeme.kind == "range":
        return _between(lexeme, field or "year")
    if kind is not None:
        bound = _bound(lexeme.text, kind, lexeme.at)
        if lexeme.prefix:
            _fail("query.range", value=lexeme.text + "*", position=lexeme.at, expected=f"a whole {kind}")
        return Between(field or "", bound, bound)
    if lexeme.kind == "word" and lexeme.prefix and not lexeme.text and field is None:
        return Everything()
    if not analysis.terms(lexeme.text):
        if field is not None:
            _fail("query.syntax", position=lexeme.at, problem=f"no word or number follows “{field}:”")
        return None
    if "*" in lexeme.text and lexeme.kind == "word":
        _fail("query.syntax", position=lexeme.at, problem="“*” stands at the end of a word only")
    return Words(field, lexeme.text, lexeme.prefix)


def _between(lexeme: _Lexeme, field: str) -> Between:
    kind = mapping()["fields"][field].get("range")
    if kind is None:
        _fail("query.syntax", position=lexeme.at, problem=f"“{field}” has no ranges")
    found = _RANGE.fullmatch(lexeme.text)
    low, high = found.groups() if found else ("*", "*")
    lower = None if low == "*" else _bound(low, kind, lexeme.at)
    upper = None if high == "*" else _bound(high, kind, lexeme.at)
    if lower is not None and upper is not None and _after(lower, upper, kind):
        _fail("query.range", value=lexeme.text, position=lexeme.at, expected="from low to high")
    return Between(field, lower, upper)


def _bound(text: str, kind: str, position: int) -> str:
    if not (_YEAR if kind == "year" else _DATE).fullmatch(text):
        expected = "a year" if kind == "year" else "a date such as 2026-06-30 or its beginning"
        _fail("query.range", value=text, position=position, expected=expected)
    return str(int(text)) if kind == "year" else text


def _after(low: str, high: str, kind: str) -> bool:
    if kind == "year":
        return int(low) > int(high)
    return low[: len(high)] > high


def _fail(code: str, **blanks: object) -> NoReturn:
    found = finding(code, None, **blanks)
    raise Invalid(found.message, hint=found.hint, findings=(found,))
