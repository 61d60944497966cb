"""Ingest: the steps of a submission on its way in, as data. `services.work.engine` walks them."""

from packages.ledger import JobKind
from services.ingest.steps.approve import approve
from services.ingest.steps.build_aip import build_aip
from services.ingest.steps.build_dip import build_dip
from services.ingest.steps.build_sip import build_sip
from services.ingest.steps.changed_files import normalise_changes, receive_changes, validate_changes
from services.ingest.steps.characterise import characterise
from services.ingest.steps.context import Step
from services.ingest.steps.delete import entomb, forget, remove_copies
from services.ingest.steps.identify import identify
from services.ingest.steps.migrate import (
    gather,
    normalise_again,
    publish_migrated,
    revise_derivatives,
    store_migrated,
)
from services.ingest.steps.mint import mint
from services.ingest.steps.normalise import normalise
from services.ingest.steps.publish import publish
from services.ingest.steps.receive import receive
from services.ingest.steps.revise import revise
from services.ingest.steps.revise_files import revise_files
from services.ingest.steps.scan import scan
from services.ingest.steps.store import store
from services.ingest.steps.validate import validate

INGEST: tuple[tuple[str, Step], ...] = (
    ("receive", receive),
    ("validate", validate),
    ("scan", scan),
    ("identify", identify),
    ("build_sip", build_sip),
    ("characterise", characterise),
    ("normalise", normalise),
    ("approve", approve),
    ("mint", mint),
    ("build_aip", build_aip),
    ("store", store),
    ("build_dip", build_dip),
    ("publish", publish),
)
"""The way of a submission, with the archivist's decision before anything is minted or stored."""

MAY_REJECT = frozenset({"receive", "validate", "scan", "approve"})
"""Steps that judge the content. In any other one *invalid* is our own trouble: nothing minted is rejected."""

MOVES = frozenset({"build_sip", "build_aip", "revise", "store"})
"""Steps that move the files which former ones read: that they have begun must survive a power failure."""

LASTING = frozenset({"receive", "store"})
"""Steps that promise something from their end on: the bytes are here; the package is archived."""

UPDATE: tuple[tuple[str, Step], ...] = (
    ("revise", revise),
    ("store", store),
    ("publish", publish),
)
"""A new version of an archived package with a changed record."""

REVISE: tuple[tuple[str, Step], ...] = (
    ("receive", receive_changes),
    ("validate", validate_changes),
    ("scan", scan),
    ("identify", identify),
    ("characterise", characterise),
    ("normalise", normalise_changes),
    ("approve", approve),
    ("revise", revise_files),
    ("store", store),
    ("build_dip", build_dip),
    ("publish", publish),
)
"""A new version of an archived package with files added, replaced or withdrawn."""

MIGRATE: tuple[tuple[str, Step], ...] = (
    ("gather", gather),
    ("normalise", normalise_again),
    ("revise", revise_derivatives),
    ("store", store_migrated),
    ("build_dip", build_dip),
    ("publish", publish_migrated),
)
"""Derivatives of an archived package's originals made anew, and a new version with those that differ."""

DELETE: tuple[tuple[str, Step], ...] = (
    ("entomb", entomb),
    ("remove_copies", remove_copies),
    ("forget", forget),
)
"""The end of a package whose deletion one person has asked for and another has approved."""

SEQUENCES: dict[JobKind, tuple[tuple[str, Step], ...]] = {
    JobKind.INGEST: INGEST,
    JobKind.UPDATE: UPDATE,
    JobKind.REVISE: REVISE,
    JobKind.MIGRATE: MIGRATE,
    JobKind.DELETE: DELETE,
}
