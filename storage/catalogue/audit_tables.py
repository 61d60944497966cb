"""The tables of audits: runs and reports, alarms, and what was sealed; see `tables`."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, Table, text

from storage.catalogue.columns import EXACT, key, metadata, number, words

OPEN_ALARMS = text("mended IS NULL")

# One audit each; what it found is in audit_reports. Evidence in storage says the same, and restores both.
audit_runs = Table(
    "audit_runs",
    metadata,
    key("id"),
    words("person_id"),
    words("person"),
    words("started"),
    words("state"),
    words("ended", required=False),
    words("scope"),
    Column("budget", BigInteger),
    Column("copies", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    words("counts"),
    words("message"),
    words("owner"),
    Index("audit_runs_by_time", "started", "id"),
)

# No foreign key to packages: what was found of a package outlives it.
audit_reports = Table(
    "audit_reports",
    metadata,
    number(),
    Column("id", EXACT, nullable=False, unique=True),
    Column("run_id", EXACT, ForeignKey("audit_runs.id", ondelete="CASCADE"), nullable=False),
    words("package_id"),
    words("store"),
    words("at"),
    Column("intact", BigInteger, nullable=False),
    Column("corrupt", BigInteger, nullable=False),
    Column("missing", BigInteger, nullable=False),
    Column("extra", BigInteger, nullable=False),
    Column("unchecked", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    words("problems"),
    Column("quarantined", Boolean, nullable=False),
    Index("audit_reports_by_run", "run_id", "number"),
)

alarms = Table(
    "alarms",
    metadata,
    key("id"),
    words("package_id"),
    words("store"),
    words("verdict"),
    words("raised"),
    words("seen"),
    words("run_id"),
    Column("problems", BigInteger, nullable=False),
    words("message"),
    Column("quarantined", Boolean, nullable=False),
    words("mended", required=False),
    words("mended_by", required=False),
    words("how", required=False),
    Index("alarms_by_time", "raised", "id"),
    Index(
        "alarms_open_once",
        "package_id",
        "store",
        unique=True,
        sqlite_where=OPEN_ALARMS,
    ),
)

# What was sealed: the digest of each version's inventory, and the chain of evidence that says so in storage.
# Both outlive a rebuild, which compares them with what storage says now.
audit_roots = Table(
    "audit_roots",
    metadata,
    key("package_id"),
    Column("version", Integer, primary_key=True, autoincrement=False),
    words("digest"),
)

audit_links = Table(
    "audit_links",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    words("digest"),
    words("at"),
)
