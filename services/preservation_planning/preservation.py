"""Which NDSA levels of preservation follow from what is said of the stores and known of their copies."""

from packages.access import today
from packages.ledger import CopyState
from packages.model import Actor, later, now
from packages.preservation_levels import Care, Column, Holding, levels
from services.administration.people import require_archivist
from services.archival_storage.places import device_of
from services.archival_storage.stores import number_kept
from services.archive import Archive

DAY = 24 * 3600
PRESENT = (CopyState.INTACT, CopyState.UNCHECKED)
"""States of a copy that is there as far as anybody knows."""
BAD = (CopyState.CORRUPT, CopyState.MISSING)


def preservation(archive: Archive, actor: Actor) -> tuple[Column, Column]:
    """Return the columns *storage* and *integrity* of the levels, each line with the fact it rests on."""
    require_archivist(actor, "see the levels of preservation")
    names = list(archive.stores)  # as they are now
    settings, at = archive.settings, now()
    with archive.catalogue.read() as view:
        kept = number_kept(view)
        tallies = [each for each in view.copy_tallies() if each.store in names]
        whole = {each for each in names if kept and not view.short_of([each], 0, states=PRESENT)[0]}
        never_read, unscanned = view.never_read(), view.unscanned()
    oldest = {each.store: "" for each in tallies}
    for name in oldest:
        oldest[name] = min(
            (each.oldest for each in tallies if each.store == name and each.oldest), default=""
        )
    care = Care(
        packages=kept,
        copies=sum(each.number for each in tallies),
        never_read=never_read,
        damaged=sum(each.number for each in tallies if each.state in BAD),
        oldest=min(oldest.values(), default=None),
        interval_days=max(map(settings.fixity_period, names), default=0),
        overdue=[
            name
            for name, read in oldest.items()
            if read < later(-settings.fixity_period(name) * DAY, after=at)
        ],
        scans=bool(settings.clamd),
        unscanned=unscanned,
        today=today(),
    )
    return levels([_holding(archive, name, is_complete=name in whole) for name in names], care)


def _holding(archive: Archive, name: str, *, is_complete: bool) -> Holding:
    said = archive.settings.facts(name)
    return Holding(
        name,
        device_of(archive.settings, archive.settings.store_urls[name]) or f"store {name}",
        is_complete,
        said.place,
        said.medium,
        said.operator,
        said.disaster,
        said.replace_by,
    )
