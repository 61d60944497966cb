"""Writing documents into OpenSearch, guarded by their revisions.

A revision is text, longer than the numbers that the server can compare by itself. So a document is
created; where one is there already, its revision is read, and the document replaced on condition that
nobody has written it since. Whoever loses such a race looks again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from storage.search.entries import Entry, newest, smaller
from storage.search.opensearch_server import WRITING, NotTaken, SearchServer, TooLarge

ROUNDS = 20
"""Races for one document that may be lost before we say that the server is too busy."""

Place = tuple[int, int]  # what the server numbers each writing of a document by


@dataclass(frozen=True, slots=True)
class Write:
    """One document that is to be written, or the mark that it was removed."""

    id: str
    revision: str
    entry: Entry | None  # None: removed

    @property
    def newness(self) -> tuple[str, bool]:
        """Return what is compared: of one revision a removal is the newer."""
        return self.revision, self.entry is None

    def source(self) -> bytes:
        """Return the line of JSON that is sent."""
        if self.entry is None:
            return orjson.dumps({"id": self.id, "revision": self.revision, "removed": True})
        return _source(self.entry)


@dataclass(slots=True)
class Written:
    """What became of a portion: ids that were older than what is there, and (id, reason) of the refused."""

    stale: list[str]
    rejected: list[tuple[str, str]]


def store(server: SearchServer, alias: str, made: Sequence[Entry], *, refresh: bool) -> Written:
    """Store what is not older than what is there, in the index that `alias` means.

    Raises LostIndex when it means none.
    """
    candidates, stale = newest(made)
    done = Written(stale, [])
    _settle(
        server, alias, [Write(each.id, each.revision, each) for each in candidates.values()], done, refresh
    )
    return done


def remove(server: SearchServer, alias: str, removals: Mapping[str, str]) -> None:
    """Mark as removed what is not newer than its removal; raises LostIndex when `alias` means no index."""
    marks = [Write(name, revision, None) for name, revision in removals.items()]
    _settle(server, alias, marks, Written([], []), refresh=True)


def _settle(server: SearchServer, alias: str, writes: Sequence[Write], done: Written, refresh: bool) -> None:
    """Write until every one is in, or known to be late or refused."""
    pending: dict[str, tuple[Write, Place | None]] = {each.id: (each, None) for each in writes}
    for _ in range(ROUNDS):
        if not pending:
            return
        lost = [
            each
            for each, answer in _sent(server, alias, list(pending.values()), refresh)
            if _is_lost(server, each, answer, done)
        ]
        pending = {}
        for each, present in zip(lost, _present(server, alias, lost), strict=True):
            if present is not None and present[0] > each.newness:
                done.stale.append(each.id)
            else:
                pending[each.id] = each, present[1] if present else None
    if pending:
        raise server.unavailable("others write the same documents all the time")


def _is_lost(server: SearchServer, write: Write, answer: Mapping[str, Any], done: Written) -> bool:
    """Tell whether somebody else had written the document; note it where the server refused it."""
    status, error = answer["status"], answer.get("error")
    if error is None:
        return False
    reason = str(error.get("reason") or error.get("type"))
    if status == 409:
        return True
    if status == 404:  # the alias; whoever uses it decides what that means
        raise server.lost()
    if status == 400:
        cause = (error.get("caused_by") or {}).get("reason")
        done.rejected.append((write.id, f"{reason}: {cause}" if cause else reason))
        return False
    raise server.unavailable(reason)


def _sent(
    server: SearchServer, alias: str, writes: list[tuple[Write, Place | None]], refresh: bool
) -> Iterator[tuple[Write, Mapping[str, Any]]]:
    """Send `writes` in one request, or in halves where it is not taken; yield the answer to each."""
    lines = []
    for write, place in writes:
        lines += [orjson.dumps(_action(write, place)), write.source()]
    lines.append(b"")
    try:
        with server.asking() as client:
            answer = client.bulk(
                body=b"\n".join(lines),
                index=alias,
                params={
                    "require_alias": "true",  # a name that is gone must not become an index of its own
                    "refresh": "true" if refresh else "false",
                    **WRITING,
                },
            )
    except NotTaken as error:
        yield from _in_parts(server, alias, writes, refresh, error)
        return
    for (write, _), item in zip(writes, answer["items"], strict=True):
        yield write, next(iter(item.values()))


def _in_parts(
    server: SearchServer, alias: str, writes: list[tuple[Write, Place | None]], refresh: bool, error: NotTaken
) -> Iterator[tuple[Write, Mapping[str, Any]]]:
    half = len(writes) // 2
    if half:
        yield from _sent(server, alias, writes[:half], refresh)
        yield from _sent(server, alias, writes[half:], refresh)
        return
    ((write, place),) = writes
    less = smaller(write.entry) if write.entry and isinstance(error, TooLarge) else None
    if less is None:
        yield write, {"status": 400, "error": {"reason": error.message}}
        return
    yield from _sent(server, alias, [(Write(write.id, write.revision, less), place)], refresh)


def _action(write: Write, place: Place | None) -> dict[str, Any]:
    if place is None:
        return {"create": {"_id": write.id}}
    return {"index": {"_id": write.id, "if_seq_no": place[0], "if_primary_term": place[1]}}


def _present(
    server: SearchServer, alias: str, writes: Sequence[Write]
) -> Iterator[tuple[tuple[str, bool], Place] | None]:
    """Yield how new what is there is, and its place; None for what has gone meanwhile."""
    if not writes:
        return
    with server.asking() as client:
        found = client.mget(
            index=alias,
            body={"ids": [each.id for each in writes]},
            params={"_source_includes": "revision,removed", **WRITING},
        )
    for each in found["docs"]:
        if "error" in each:  # the alias has gone since
            raise server.lost()
        if not each["found"]:
            yield None
            continue
        source = each["_source"]
        newness = source["revision"], bool(source.get("removed"))
        yield newness, (each["_seq_no"], each["_primary_term"])


def _source(entry: Entry) -> bytes:
    """Return an entry as the mapping has it (schemas/search-opensearch.json)."""
    columns = dict(entry.columns)
    body = columns.pop("body")
    facets: dict[str, list[str]] = {}
    for each in entry.keywords:
        if each["facet"]:
            facets.setdefault(each["field"], []).append(f"{each['value']}\x00{each['label']}")
    fields = {
        **{name: value for name, value in columns.items() if value is not None},
        "sort_year": columns["year"] or 0,
        "keywords": [f"{each['field']}={each['value']}" for each in entry.keywords],
        "facets": facets,
        "text": {name: texts for name, texts in entry.terms.items() if texts},
        "body": orjson.Fragment(body),
    }
    return orjson.dumps(fields)
