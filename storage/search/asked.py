"""What a word of a query asks of an index, the same for every backend: phrases of terms, and a keyword."""

from dataclasses import dataclass

from packages import analysis
from packages.query import Words, mapping


@dataclass(frozen=True, slots=True)
class Phrase:
    """Terms that stand side by side in one value; the last one may go on where it is a `prefix`."""

    terms: tuple[str, ...]
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What finds a document: any of `phrases` in `column` (None: in any text column), or `keyword`.

    `keyword` is (field, value), compared as a whole, or as a beginning where the words are a prefix.
    """

    column: str | None
    phrases: tuple[Phrase, ...]
    keyword: tuple[str, str] | None


def asked(words: Words) -> Asked:
    """Return what `words` ask for; without phrases where no text column is asked."""
    column = None if words.field is None else mapping()["fields"][words.field].get("text")
    has_text = words.field is None or column is not None
    return Asked(column, tuple(_phrases(words)) if has_text else (), _keyword(words))


def _phrases(words: Words) -> list[Phrase]:
    if not words.prefix:
        found = analysis.terms(words.text)
        return [Phrase(tuple(found))] if found else []
    found, whole = analysis.prefix_terms(words.text)
    phrases = [Phrase(tuple(found), prefix=True)] if found else []
    return phrases + [Phrase((*found[:-1], term)) for term in sorted(whole)]


def _keyword(words: Words) -> tuple[str, str] | None:
    if words.field is None:
        # The start of a word is not the start of an identifier: "de*" would find every eighth package.
        field = None if words.prefix else "identifier"
    else:
        field = mapping()["fields"][words.field].get("keyword")
    if field is None:
        return None
    as_identifier = mapping()["fields"][field].get("identifier", False)
    return field, analysis.identifier(words.text) if as_identifier else analysis.keyword(words.text)
