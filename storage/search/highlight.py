"""Highlights: where a found document has what was looked for, the same for every backend."""

from collections.abc import Iterator
from itertools import islice

from packages import analysis
from packages.query import Query, Words, mapping, positive_words
from packages.search_document import SearchDocument
from storage.search.port import Fragment

MAX_FRAGMENTS = 3
"""Fragments of one field."""

WINDOW = 200
"""Characters of a fragment, about."""

SCANNED = 20_000
"""Terms of a field that are looked through; a page of hits must not cost more than its search."""


def highlights(query: Query, document: SearchDocument) -> dict[str, tuple[Fragment, ...]]:
    """Return the fragments of `document` by field; fields without a match are absent."""
    words = list(positive_words(query.root))
    found = {}
    for field in mapping()["highlight"]:
        phrases = [_phrase(each) for each in words if each.field in (None, field)]
        if phrases and (fragments := tuple(islice(_fragments(phrases, document, field), MAX_FRAGMENTS))):
            found[field] = fragments
    return found


# Terms before the last, how the last may begin, terms that are as good as the last.
_Phrase = tuple[list[str], str | None, frozenset[str]]


def _phrase(words: Words) -> _Phrase:
    if not words.prefix:
        found = analysis.terms(words.text)
        return found[:-1], None, frozenset(found[-1:])
    found, whole = analysis.prefix_terms(words.text)
    return found[:-1], found[-1] if found else None, whole


def _fragments(phrases: list[_Phrase], document: SearchDocument, field: str) -> Iterator[Fragment]:
    room = SCANNED
    seen = set()
    for source in mapping()["text"][field]["sources"]:
        value: object = document.get(source)
        for text in value if isinstance(value, list) else [value]:
            if room <= 0 or not isinstance(text, str) or text in seen:
                continue
            seen.add(text)
            tokens = list(islice(analysis.tokens(text), room))
            room -= len(tokens)
            if marks := _marks(phrases, tokens):
                yield _window(text, marks)


def _marks(phrases: list[_Phrase], tokens: list[analysis.Token]) -> list[tuple[int, int]]:
    """Return the places of all phrases, in order, those that overlap joined."""
    places = []
    for before, beginning, whole in phrases:
        for at in range(len(tokens) - len(before)):
            last = tokens[at + len(before)]
            if last.term not in whole and not (beginning and last.term.startswith(beginning)):
                continue
            if all(tokens[at + n].term == term for n, term in enumerate(before)):
                places.append((tokens[at].start, last.end))
    joined: list[tuple[int, int]] = []
    for start, end in sorted(places):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _window(text: str, marks: list[tuple[int, int]]) -> Fragment:
    """Cut the part of `text` around its first mark, at blanks where there are some near."""
    first = max(0, marks[0][0] - WINDOW // 4)
    if first:
        blank = text.find(" ", first, marks[0][0])
        first = blank + 1 if blank >= 0 else first
    last = max(marks[0][1], min(len(text), first + WINDOW))
    if last < len(text):
        blank = text.rfind(" ", marks[0][1], last)
        last = blank if blank >= 0 else last
    return Fragment(
        text[first:last], tuple((start - first, end - first) for start, end in marks if end <= last)
    )
