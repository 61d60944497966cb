"""The catalogue: the ledger in a database, by SQLAlchemy. `open_catalogue` gives one for a URL."""

from storage.catalogue.port import Catalogue, ReadSession, WriteSession

__all__ = ["Catalogue", "ReadSession", "WriteSession", "open_catalogue"]


def open_catalogue(url: str) -> Catalogue:
    """Return the catalogue at an SQLAlchemy URL (``sqlite:///…`` or ``postgresql+psycopg://…``).

    Connects to nothing yet; call `Catalogue.migrate` before the first session. Raises Refused for another
    URL.
    """
    # SQLAlchemy takes a quarter of a second to import: only who opens a catalogue pays for it.
    from storage.catalogue.database import Database  # noqa: PLC0415  # see above

    return Database(url)
