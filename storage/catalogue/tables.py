"""The catalogue's tables, as they are at the newest migration (a test compares the two).

Text is compared byte by byte on every backend (PostgreSQL: ``COLLATE "C"``), so that keys page alike. Times
are RFC 3339 text. JSON is text: it is read whole or not at all. Nothing limits a length, for depositors
choose names and titles; what is indexed is short or a digest, because PostgreSQL refuses index rows over
2,704 bytes.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    false,
    text,
)

from storage.catalogue import audit_tables, columns  # noqa: F401  # `metadata` has its tables, too
from storage.catalogue.columns import EXACT
from storage.catalogue.columns import key as _key
from storage.catalogue.columns import number as _number
from storage.catalogue.columns import words as _text

metadata = columns.metadata

OPEN_JOBS = text("state IN ('queued', 'running', 'waiting', 'failed')")
ENDED_FILES = text("until IS NOT NULL")
OPEN_DELETIONS = text("state IN ('requested', 'approved', 'partly_deleted')")
COPIES_TO_MAKE = text("copies.state = 'pending'")
PENDING = text("state = 'pending'")
REJECTED = text("state = 'rejected'")


def _package(*, primary_key: bool = False) -> Column[str]:
    refers = ForeignKey("packages.id", ondelete="CASCADE")
    return Column("package_id", EXACT, refers, primary_key=primary_key, nullable=False)


def _job() -> Column[str]:
    return Column("job_id", EXACT, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)


archive = Table("archive", metadata, _key("name"), _text("value"))

people = Table(
    "people",
    metadata,
    _key("id"),
    _text("name"),
    _text("roles"),
    Column("os_user", EXACT, unique=True),
    _text("created"),
)

tokens = Table(
    "tokens",
    metadata,
    _key("id"),
    Column("person_id", EXACT, ForeignKey("people.id"), nullable=False),
    _text("name"),
    _text("role"),
    Column("hash", EXACT, nullable=False, unique=True),
    _text("created"),
    _text("expires", required=False),
    _text("revoked", required=False),
    _text("made_by", required=False),
    _text("suspended", required=False),
)

# What a browser signs in with: one-time links and sessions, of which only a hash is kept. `token_id` is the
# API token that a session was opened with, if any: it ends with it.
sign_ins = Table(
    "sign_ins",
    metadata,
    _key("hash"),
    _text("kind"),
    Column("person_id", EXACT, ForeignKey("people.id"), nullable=False),
    _text("token_id", required=False),
    _text("created"),
    _text("expires"),
    Index("sign_ins_by_expiry", "expires"),
)

packages = Table(
    "packages",
    metadata,
    _key("id"),
    _text("owner"),
    _text("title"),
    _text("state"),
    _text("access_metadata"),
    _text("access_files"),
    _text("metadata_until", required=False),
    _text("files_until", required=False),
    _text("fingerprint", required=False),
    Column("version", Integer),
    Column("pid", EXACT, unique=True),
    Column("oai_id", EXACT, unique=True),
    _text("oai_datestamp", required=False),
    Column("files", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    _text("predecessor", required=False),
    _text("source_name"),
    _text("hold", required=False),
    _text("record"),
    # The newest job; without a foreign key, for each row would wait for the other.
    _text("job_id", required=False),
    _text("created"),
    _text("updated"),
    _text("resource_type", required=False),
    Index("packages_by_time", "created", "id"),
    Index("packages_by_state", "state", "created", "id"),
    Index("packages_by_content", "owner", "fingerprint"),
    Index("packages_by_datestamp", "oai_datestamp", "id"),
    Index("packages_by_type", "resource_type", "oai_datestamp", "id"),
    Index("packages_by_owner", "owner", "created", "id"),
    Index("packages_rejected", "owner", "created", "id", sqlite_where=REJECTED),
)

versions = Table(
    "versions",
    metadata,
    _package(primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    _text("created"),
    _text("message"),
    _text("user"),
    _text("inventory_digest"),
    Column("files", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)

# Each format that any file has, once: file rows repeat only its number.
formats = Table(
    "formats",
    metadata,
    Column("number", Integer, Identity(), primary_key=True),
    _text("puid", required=False),
    _text("name", required=False),
    _text("version", required=False),
    _text("mime", required=False),
    Column("digest", LargeBinary(16), nullable=False, unique=True),
)

# A file row stands in all versions from `since` until before `until`: a new version costs what it changes.
# `package` is the package's UUID in 16 bytes, `path_digest` the path's BLAKE2b in 16: rows stay small.
# `location` is null where it is vSINCE/content/PATH. No foreign key to packages: it would slow each row down.
files = Table(
    "files",
    metadata,
    _number(),
    Column("package", LargeBinary(16), nullable=False),
    Column("since", Integer, nullable=False),
    Column("until", Integer),
    Column("path_digest", LargeBinary(16), nullable=False),
    _text("path"),
    _text("location", required=False),
    Column("size", BigInteger, nullable=False),
    Column("sha512", LargeBinary(64), nullable=False),
    Column("crc32", BigInteger, nullable=False),
    _text("role"),
    _text("modified", required=False),
    _text("digests", required=False),
    Column("format", Integer, ForeignKey("formats.number"), nullable=False),
    _text("basis", required=False),
    _text("warning", required=False),
    _text("properties", required=False),
    _text("derived_from", required=False),
    # A member of a packed content file (many tiny files in one stored object): where it begins in `location`.
    Column("packed_offset", BigInteger),
    Column("packed_length", BigInteger),
    Index("files_by_path", "package", "path_digest", "since", unique=True),
    Index("files_in_order", "package", "since", "number"),
    Index("files_ended", "package", "until", sqlite_where=ENDED_FILES),
)

# Jobs outlive a rebuild of the packages, so they do not refer to them by a foreign key.
jobs = Table(
    "jobs",
    metadata,
    _key("id"),
    _text("package_id"),
    _text("kind"),
    Column("target_version", Integer, nullable=False),
    _text("state"),
    _text("step", required=False),
    Column("attempts", Integer, nullable=False),
    _text("not_before", required=False),
    _text("lease_owner", required=False),
    _text("lease_until", required=False),
    Column("fence", BigInteger, nullable=False),
    _text("source"),
    _text("options"),
    _text("reason"),
    _text("created"),
    _text("updated"),
    Index("jobs_by_package", "package_id", "created", "id"),
    Index("jobs_by_state", "state", "created", "id"),
    Index("jobs_open_once", "package_id", unique=True, sqlite_where=OPEN_JOBS),
)

steps = Table(
    "steps",
    metadata,
    _job(),
    _key("name"),
    Column("position", SmallInteger, nullable=False),
    _text("outcome", required=False),
    _text("result"),
    _text("started"),
    _text("ended", required=False),
    _text("message"),
    Column("attempts", Integer, nullable=False),
)

findings = Table(
    "findings",
    metadata,
    _number(),
    Column("job_id", EXACT, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    _text("step"),
    _text("code"),
    _text("severity"),
    _text("path", required=False),
    _text("message"),
    _text("hint"),
    Index("findings_by_job", "job_id", "step"),
)

events = Table(
    "events",
    metadata,
    _number(),
    Column("id", EXACT, nullable=False, unique=True),
    _package(),
    _text("type"),
    _text("at"),
    _text("outcome"),
    _text("detail"),
    _text("agents"),
    _text("step"),
    _text("note"),
    _text("paths", required=False),
    Index("events_by_package", "package_id", "number"),
)

copies = Table(
    "copies",
    metadata,
    _package(primary_key=True),
    _key("store"),
    Column("version", Integer, nullable=False),
    _text("state"),
    _text("verified", required=False),
    _text("message"),
    Index("copies_by_verified", "store", "verified"),
    Index("copies_to_make", "store", "package_id", sqlite_where=PENDING),
)

# What was ever recorded of archival stores. Where a store is, is said by the settings, not here.
stores = Table(
    "stores",
    metadata,
    _key("name"),
    _text("url"),
    _text("state"),
    _text("since"),
    _text("person"),
    _text("reason"),
    _text("worker", required=False),
    _text("worker_since", required=False),
    _text("worker_until", required=False),
)

pids = Table(
    "pids",
    metadata,
    _key("pid"),
    _package(),
    _text("state"),
    _text("target", required=False),
    Index("pids_by_package", "package_id"),
)

outbox = Table(
    "outbox",
    metadata,
    _number(),
    _text("topic"),
    _text("package_id"),
    _text("created"),
    _text("not_before", required=False),
    Column("attempts", Integer, nullable=False),
    _text("message"),
    Index("outbox_by_topic", "topic", "number"),
    # No number comes twice: two who drain it at once would else strike off what neither has done.
    sqlite_autoincrement=True,
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    _key("owner"),
    _key("key"),
    _text("body"),
    _text("package_id"),
    _text("created"),
)


# What one person asks to be deleted and another decides on. Logs and tombstones in storage say the same.
deletions = Table(
    "deletions",
    metadata,
    _key("id"),
    _text("reason"),
    _text("category"),
    _text("requested_by"),
    _text("requested_name"),
    _text("requested"),
    _text("state"),
    _text("decided_by", required=False),
    _text("decided_name", required=False),
    _text("decided", required=False),
    _text("decision"),
    Index("deletions_by_time", "requested", "id"),
)

# No foreign key to packages: a rebuild makes those anew.
deletion_items = Table(
    "deletion_items",
    metadata,
    Column("deletion_id", EXACT, ForeignKey("deletions.id", ondelete="CASCADE"), primary_key=True),
    _key("package_id"),
    Column("version", Integer, nullable=False),
    Column("files", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("copies", Integer, nullable=False),
    _text("updated"),
    _text("state"),
    _text("message"),
    Index(
        "deletion_items_open_once",
        "package_id",
        unique=True,
        sqlite_where=OPEN_DELETIONS,
    ),
    Index("deletion_items_by_package", "package_id"),
)

# What this archive wrote to the logs of packages, or meant to: an entry that is not here is not ours.
# No foreign key to packages: a rebuild makes those anew.
DOUBTED = text("is_doubted")
log_entries = Table(
    "log_entries",
    metadata,
    _key("package_id"),
    _key("digest"),
    _text("at"),
    Column("is_written", Boolean, nullable=False),
    Column("is_doubted", Boolean, nullable=False, server_default=false()),
    Index("log_entries_by_time", "at", "package_id"),
    Index("log_entries_doubted", "package_id", sqlite_where=DOUBTED),
)
