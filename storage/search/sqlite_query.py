"""Queries and access rules in the SQL of the SQLite index: pure translation, nothing is run here."""

from typing import Any, assert_never

from sqlalchemy import (
    ColumnElement,
    FromClause,
    and_,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
)

from packages.access import AllOf, AnyOf, NotAfter, OneOf, Rule
from packages.query import And, Between, Everything, Node, Not, Or, Words, mapping, positive_words
from storage.search.asked import Asked, asked
from storage.search.sqlite_tables import TEXT_COLUMNS, Generation

_LAST = "\U0010ffff"


def rule_condition(rule: Rule, tables: Generation) -> ColumnElement[bool]:
    """Return `rule` as a condition on the documents table; it agrees with `packages.access.matches`."""
    columns = tables.documents.c
    match rule:
        case OneOf(fact, values):
            return columns[fact].in_(values) if values else false()
        case NotAfter(fact, value):
            # An absent date compares as unknown in SQL, which WHERE takes for false: as the rule wants it.
            return columns[fact] <= value
        case AllOf(parts):
            return and_(true(), *(rule_condition(part, tables) for part in parts))
        case AnyOf(parts):
            return or_(false(), *(rule_condition(part, tables) for part in parts))
        case _:
            assert_never(rule)


def condition(node: Node, tables: Generation) -> ColumnElement[bool]:
    """Return `node` as a condition on the documents table that is true or false, never unknown."""
    match node:
        case Everything():
            return true()
        case Words():
            return _words(node, tables)
        case Between():
            return _between(node, tables)
        case Not(part):
            return not_(condition(part, tables))
        case And(parts):
            return and_(*(condition(part, tables) for part in parts))
        case Or(parts):
            return or_(*(condition(part, tables) for part in parts))
        case _:
            assert_never(node)


def ranked(node: Node, tables: Generation) -> FromClause | None:
    """Return a table (number, score) of how well documents fit the words of `node`; None without words."""
    expressions = [text for words in positive_words(node) if (text := _match(asked(words)))]
    if not expressions:
        return None
    name = tables.terms.name
    weights = ", ".join(str(float(mapping()["text"][column]["weight"])) for column in TEXT_COLUMNS)
    # bm25 is better the lower; rounded, so that a key that went out in a page token compares equal again.
    score: ColumnElement[float] = func.round(-literal_column(f"bm25({name}, {weights})"), 9)
    return (
        select(tables.terms.c.rowid.label("number"), score.label("score"))
        .where(_matching(tables, " OR ".join(expressions)))
        .cte("ranked")
        .prefix_with("MATERIALIZED")
    )


def _matching(tables: Generation, expression: str) -> ColumnElement[bool]:
    asked: ColumnElement[Any] = literal_column(tables.terms.name)
    return asked.bool_op("MATCH")(expression)


def _words(words: Words, tables: Generation) -> ColumnElement[bool]:
    number = tables.documents.c.number
    wanted = asked(words)
    ways = []
    if expression := _match(wanted):
        ways.append(number.in_(select(tables.terms.c.rowid).where(_matching(tables, expression))))
    if wanted.keyword is not None:
        keywords = tables.keywords.c
        field, value = wanted.keyword
        fits = keywords.value == value
        if words.prefix:
            fits = keywords.value.between(value, value + _LAST)
        ways.append(number.in_(select(keywords.number).where(keywords.field == field, fits)))
    return or_(false(), *ways)


def _match(wanted: Asked) -> str:
    """Return the FTS5 expression of `wanted`, or "" where no text column is asked. Terms need no escaping."""
    if not wanted.phrases:
        return ""
    phrases = [f'"{" ".join(each.terms)}"{" *" if each.prefix else ""}' for each in wanted.phrases]
    return f"({{{wanted.column or ' '.join(TEXT_COLUMNS)}}} : ({' OR '.join(phrases)}))"


def _between(node: Between, tables: Generation) -> ColumnElement[bool]:
    column = tables.documents.c[node.field]
    bounds: list[ColumnElement[bool]] = [true()]
    if mapping()["fields"][node.field]["range"] == "year":
        # Makes it false, not unknown, without a year: a negation has to find those.
        bounds.append(column.is_not(None))
        if node.low is not None:
            bounds.append(column >= int(node.low))
        if node.high is not None:
            bounds.append(column <= int(node.high))
        return and_(*bounds)
    if node.low is not None:
        bounds.append(column >= node.low)
    if node.high is not None:
        bounds.append(func.substr(column, 1, len(node.high)) <= node.high)
    return and_(*bounds)
