"""OAI-PMH 2.0: what harvesters are told. Whatever is not open to everybody is a deleted record to them.

Nothing is remembered between two requests: a resumption token carries all that is needed. How nothing is
missed although transactions commit out of order stands in docs/decisions/0012.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

from packages.access import Rule, access_facts, matches, metadata_rule, today
from packages.errors import Unavailable
from packages.model import ANONYMOUS, later, now
from packages.oai_pmh import (
    TYPES,
    Asked,
    Code,
    Item,
    Place,
    ProtocolError,
    Verb,
    granular,
    make_token,
    parse_request,
    set_of,
)
from packages.oai_pmh_xml import (
    FORMATS,
    Format,
    answer,
    enclosed,
    error,
    header,
    identify,
    metadata_formats,
    record,
    resumption_token,
    sets,
)
from services.archive import Archive
from storage.catalogue.port import ReadSession

log = logging.getLogger("holdfast.harvesting")

PAGE = 200
"""Records of one answer."""
BUDGET = 4 * 1024 * 1024
"""Characters of records after which an answer ends earlier."""
LONG_AGO = "1970-01-01T00:00:00.000000Z"

_SAMPLE = "0d4ee2ff-6f3c-4e0a-9b43-5d9d5f3d6c11"
_UNSAID = frozenset({Code.BAD_VERB, Code.BAD_ARGUMENT})  # section 3.2: then ``request`` has no attributes
_LISTS = frozenset({Verb.LIST_IDENTIFIERS, Verb.LIST_RECORDS})
_SETTLE_SECONDS = 1.0


def harvest(archive: Archive, given: Sequence[tuple[str, str]]) -> bytes:
    """Answer a request with the arguments `given` in XML; what is wrong with it is said in the answer.

    Raises Unavailable when the catalogue cannot be read.
    """
    told, arguments = now(), dict(given)
    try:
        asked = parse_request(given)
        if asked.verb in _LISTS:
            _settle(archive)
        with archive.catalogue.read() as view:
            if asked.verb in _LISTS:
                told = view.last_datestamp() or LONG_AGO
            inner = list(enclosed(asked.verb, _ANSWERS[asked.verb](archive, view, asked)))
    except ProtocolError as wrong:
        inner = [error(wrong.code, wrong.message)]
        if wrong.code in _UNSAID:
            arguments = {}
    return answer(granular(told), _base_url(archive), arguments, inner)


def _settle(archive: Archive) -> None:
    """Bring the newest datestamp to the present, so that a list may be dated so, if no writer is in the way.

    With one in the way the list is dated before all that this writer may be about to commit.
    """
    with archive.catalogue.read() as view:
        last = view.last_datestamp()
    if last is not None and last > later(-1):
        return
    try:
        with archive.catalogue.write(durable=False, wait=_SETTLE_SECONDS) as unit:
            unit.datestamp()
    except Unavailable as busy:
        log.info("a list is dated %s, for the catalogue is being written to: %s", last, busy.message)


def _base_url(archive: Archive) -> str:
    return f"{archive.settings.base_url}/oai"


def _identify(archive: Archive, view: ReadSession, _asked: Asked) -> Iterator[str]:
    said = archive.settings
    namespace = said.oai_namespace
    domain = namespace if "." in namespace else "archive.localhost"
    yield from identify(
        name=said.archive_name,
        base_url=_base_url(archive),
        email=said.archive_email or f"archivist@{domain}",
        earliest=granular(view.earliest_datestamp() or now()),
        namespace=namespace,
        sample=f"oai:{namespace}:{_SAMPLE}",
    )


def _list_metadata_formats(_archive: Archive, view: ReadSession, asked: Asked) -> Iterator[str]:
    if asked.identifier is not None and not _is_open(_item(view, asked), _readable()):
        raise ProtocolError(Code.NO_METADATA_FORMATS, "this record is deleted: there is no metadata of it")
    yield from metadata_formats()


def _list_sets(_archive: Archive, view: ReadSession, _asked: Asked) -> Iterator[str]:
    yield from sets([(TYPES, "Every type"), *((set_of(each), each) for each in view.item_types())])


def _get_record(archive: Archive, view: ReadSession, asked: Asked) -> Iterator[str]:
    item, form = _item(view, asked), _format(asked)
    written = _written(archive, item, form, _readable())
    if written is None:
        told = "this record cannot be said in XML; the archive has taken note"
        raise ProtocolError(Code.CANNOT_DISSEMINATE_FORMAT, told)
    yield written


def _list_identifiers(_archive: Archive, view: ReadSession, asked: Asked) -> Iterator[str]:
    _format(asked)
    rule = _readable()
    return _list(view, asked, lambda item: header(item, is_deleted=not _is_open(item, rule)))


def _list_records(archive: Archive, view: ReadSession, asked: Asked) -> Iterator[str]:
    form, rule = _format(asked), _readable()
    return _list(view, asked, lambda item: _written(archive, item, form, rule))


_ANSWERS: Mapping[Verb, Callable[[Archive, ReadSession, Asked], Iterator[str]]] = {
    Verb.IDENTIFY: _identify,
    Verb.LIST_METADATA_FORMATS: _list_metadata_formats,
    Verb.LIST_SETS: _list_sets,
    Verb.GET_RECORD: _get_record,
    Verb.LIST_IDENTIFIERS: _list_identifiers,
    Verb.LIST_RECORDS: _list_records,
}


def _list(view: ReadSession, asked: Asked, write: Callable[[Item], str | None]) -> Iterator[str]:
    """Yield one part of a list, and the token for the next one."""
    place, more, shown = asked.place, True, list[str]()
    while more and not shown:
        found, more = _page(view, asked, place)
        shown = [text for text in map(write, found) if text is not None]
        if found:
            place = Place(found[-1].datestamp, found[-1].id, 0)
    begun = asked.place.delivered if asked.place else 0
    if not shown and begun:
        # All that remained has changed and lies beyond `until` now. A list must not be empty: it ends with a
        # record that has been told already.
        again = map(write, _page(view, asked, None)[0])
        shown = [text for text in again if text is not None][:1]
    if not shown:
        raise ProtocolError(Code.NO_RECORDS_MATCH, "there is no such record")
    yield from shown
    if more and place is not None:
        onwards = Place(place.datestamp, place.id, begun + len(shown))
        yield resumption_token(make_token(asked, onwards), begun)
    elif begun:
        yield resumption_token("", begun)


def _page(view: ReadSession, asked: Asked, after: Place | None) -> tuple[list[Item], bool]:
    records = asked.verb is Verb.LIST_RECORDS
    return view.items(asked.selection, after=after, limit=PAGE, records=records, budget=BUDGET)


def _item(view: ReadSession, asked: Asked) -> Item:
    item = view.item(asked.identifier or "")
    if item is None:
        raise ProtocolError(Code.ID_DOES_NOT_EXIST, "there is no record of this identifier")
    return item


def _format(asked: Asked) -> Format:
    form = FORMATS.get(asked.prefix or "")
    if form is None:
        told = f"the formats are {', '.join(FORMATS)}"
        raise ProtocolError(Code.CANNOT_DISSEMINATE_FORMAT, told)
    return form


def _readable() -> Rule:
    return metadata_rule(ANONYMOUS, today())


def _is_open(item: Item, rule: Rule) -> bool:
    return matches(rule, access_facts(item.owner, item.access, item.state))


def _written(archive: Archive, item: Item, form: Format, rule: Rule) -> str | None:
    """Return the record in XML, None for one that cannot be said in it: that is a defect, and told as one."""
    if item.record is None or not _is_open(item, rule):
        return record(item, None)
    said = archive.settings
    page = said.record_address(item.id)
    identifiers = [each for each in (item.pid, page, item.oai_id) if each is not None]
    try:
        metadata = form.write(item.record, identifiers, int(item.created[:4]), said.oai_namespace)
    except Exception:
        log.exception("defect: record %s cannot be said in %s; harvesters lack it", item.id, form.prefix)
        return None
    return record(item, metadata)
