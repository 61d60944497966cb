"""Search: what the actor may find, and no trace of the rest."""

from collections.abc import Iterable
from typing import Any

from packages.access import metadata_rule, today
from packages.errors import Unavailable
from packages.ledger import KEPT_STATES
from packages.model import Actor
from packages.query import narrowing, parse
from services.archive import Archive
from services.work.outbox import INDEX
from storage.search.port import Hits, Sort


def search(
    archive: Archive,
    actor: Actor,
    text: str,
    *,
    sort: str = "relevance",
    size: int = 10,
    after: str | None = None,
) -> Hits:
    """Return one page of what `text` finds. Raises Invalid for a query that cannot be read, with a hint."""
    rule = metadata_rule(actor, today())
    hits = archive.index.search(parse(text), rule, sort=Sort.named(sort), size=size, after=after)
    if not hits.total:
        _require_index(archive)
    return hits


def narrowed(text: str, chosen: Iterable[tuple[str, str]]) -> str:
    """Return the query that finds what `text` does, of each chosen (facet, value) alone.

    Raises Invalid for a `text` that cannot be read, with places in it as it was typed.
    """
    parse(text)
    parts = [narrowing(field, value) for field, value in chosen]
    return " ".join(([f"({text})"] if text.strip() else []) + parts) if parts else text


def _require_index(archive: Archive) -> None:
    """Raise Unavailable when the index is empty although there is something to find: it was lost."""
    if archive.index.count():
        return
    with archive.catalogue.read() as view:
        lost = any(view.counts().packages.get(state, 0) for state in KEPT_STATES) and not view.outbox(INDEX)
    if lost:
        raise Unavailable("the search index is empty", hint="run `holdfast rebuild --index`")


def hits_json(hits: Hits) -> dict[str, Any]:
    """Return hits as JSON; matches in highlights are marked with ``**``."""
    return {
        "total": hits.total,
        "hits": [
            {
                "id": hit.id,
                "title": hit.title,
                "pid": hit.document["pid"],
                "year": hit.document["year"],
                "state": hit.document["state"],
                "score": hit.score,
                "highlights": {
                    field: [fragment.marked("**", "**") for fragment in fragments]
                    for field, fragments in hit.highlights.items()
                },
            }
            for hit in hits.hits
        ],
        "facets": {
            name: [{"value": each.value, "label": each.label, "count": each.count} for each in values]
            for name, values in hits.facets.items()
        },
        "next": hits.next,
    }
