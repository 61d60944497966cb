"""Search documents for tests, and a short way to ask for ids."""

from packages.access import EVERYTHING
from packages.query import parse
from packages.search_document import SearchDocument


def document(name="p1", revision="00000001 2026", **changes) -> SearchDocument:
    fields = {
        "id": name,
        "revision": revision,
        "owner": "owner",
        "state": "published",
        "metadata": "open",
        "metadata_until": None,
        "files": "open",
        "files_until": None,
        "title": f"Title of {name}",
        "titles": [],
        "creators": [],
        "contributors": [],
        "subjects": [],
        "descriptions": [],
        "publisher": "",
        "type": [],
        "year": None,
        "languages": [],
        "formats": [],
        "identifiers": [],
        "pid": None,
        "oai_id": None,
        "filenames": [],
        "created": "2026-01-01T00:00:00.000000Z",
        "updated": "2026-01-01T00:00:00.000000Z",
        "version": 1,
        "file_count": 1,
        "bytes": 1,
        "trimmed": False,
    }
    return {**fields, **changes}


def ids(index, text, rule=EVERYTHING, **options):
    return [hit.id for hit in index.search(parse(text), rule, **options).hits]
