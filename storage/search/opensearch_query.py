"""Queries and access rules in the language of OpenSearch: pure translation, nothing is asked here."""

from typing import Any, assert_never

from packages.access import AllOf, AnyOf, NotAfter, OneOf, Rule
from packages.query import And, Between, Everything, Node, Not, Or, Words, mapping, positive_words
from storage.search.asked import Phrase, asked

Clause = dict[str, Any]

ALL: Clause = {"match_all": {}}
NONE: Clause = {"match_none": {}}

RANKED_TERMS = 400
"""Terms, counted in each field, that decide on the order; servers take 1,024 conditions of one search."""

_EXPANSIONS = 1_000_000  # words that the last of a phrase may go on as: all, that is
_LAST = "\U0010ffff"


def rule_clause(rule: Rule) -> Clause:
    """Return `rule` as a filter; it agrees with `packages.access.matches`."""
    match rule:
        case OneOf(fact, values):
            return {"terms": {fact: list(values)}}
        case NotAfter(fact, value):
            return {"range": {fact: {"lte": value}}}
        case AllOf(parts):
            return _all([rule_clause(part) for part in parts])
        case AnyOf(parts):
            return _any([rule_clause(part) for part in parts])
        case _:
            assert_never(rule)


def condition(node: Node) -> Clause:
    """Return `node` as a filter."""
    match node:
        case Everything():
            return ALL
        case Words():
            return _words(node)
        case Between():
            return _between(node)
        case Not(part):
            return {"bool": {"must_not": [condition(part)]}}
        case And(parts):
            return _all([condition(part) for part in parts])
        case Or(parts):
            return _any([condition(part) for part in parts])
        case _:
            assert_never(node)


def ranking(node: Node) -> list[Clause]:
    """Return what makes a document fit better: words in each text field with its weight; [] without words."""
    weights = {name: field["weight"] for name, field in mapping()["text"].items()}
    clauses: list[Clause] = []
    room = RANKED_TERMS
    for words in positive_words(node):
        wanted = asked(words)
        for phrase in wanted.phrases[:1]:
            columns = [name for name in weights if wanted.column in (None, name)]
            room -= len(columns) * len(phrase.terms)
            if room >= 0 or not clauses:
                clauses += [_phrase(f"text.{name}", phrase, boost=weights[name]) for name in columns]
    return clauses


def _all(clauses: list[Clause]) -> Clause:
    return {"bool": {"filter": clauses}} if clauses else ALL


def _any(clauses: list[Clause]) -> Clause:
    return {"bool": {"should": clauses, "minimum_should_match": 1}} if clauses else NONE


def _words(words: Words) -> Clause:
    wanted = asked(words)
    field = "any" if wanted.column is None else f"text.{wanted.column}"
    ways = [_phrase(field, each) for each in wanted.phrases]
    if wanted.keyword is not None:
        name, value = wanted.keyword
        ways.append({"prefix" if words.prefix else "term": {"keywords": {"value": f"{name}={value}"}}})
    return _any(ways)


def _phrase(field: str, phrase: Phrase, boost: float = 1.0) -> Clause:
    if len(phrase.terms) == 1:
        return {"prefix" if phrase.prefix else "term": {field: {"value": phrase.terms[0], "boost": boost}}}
    text = " ".join(phrase.terms)
    if phrase.prefix:
        return {
            "match_phrase_prefix": {field: {"query": text, "max_expansions": _EXPANSIONS, "boost": boost}}
        }
    return {"match_phrase": {field: {"query": text, "boost": boost}}}


def _between(node: Between) -> Clause:
    is_year = mapping()["fields"][node.field]["range"] == "year"
    bounds: Clause = {}
    if node.low is not None:
        bounds["gte"] = int(node.low) if is_year else node.low
    if node.high is not None:
        # A high bound such as 2026-03 includes whatever begins with it.
        bounds["lte"] = int(node.high) if is_year else node.high + _LAST
    return {"range": {node.field: bounds}} if bounds else {"exists": {"field": node.field}}
