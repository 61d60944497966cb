"""Build SIP: a BagIt bag in our own profile, around the files where they lie."""

from collections.abc import Iterable, Iterator
from typing import Any

import schemas
from packages.bagit.tags import BAG_INFO, DECLARATION
from packages.bagit.write import (
    PAYLOAD_MANIFEST,
    TAG_MANIFEST,
    payload_oxum,
    write_bag_info,
    write_bagit_txt,
    write_bytes,
    write_manifest,
)
from packages.content_paths import content_path
from packages.model import ORIGINALS, FileEntry, Role, evolved
from packages.premis import package_urn
from packages.record import RECORD_NAME, dump_record
from services.agents import HOLDFAST
from services.ingest.steps.context import StepContext, StepResult
from services.ingest.steps.judging import with_second_opinion
from services.ingest.steps.placing import below, carried, move_file, move_folder
from storage.staging import SheetWriter

CARRIED_OVER = frozenset(
    {
        "source-organization",
        "organization-address",
        "contact-name",
        "contact-phone",
        "contact-email",
        "external-description",
        "bag-group-identifier",
        "bag-count",
        "internal-sender-identifier",
        "internal-sender-description",
    }
)
"""Labels of a deposited bag-info.txt that our SIP repeats; the file stays in ``metadata/submission/``."""


OWN_TAGS = (RECORD_NAME, DECLARATION, PAYLOAD_MANIFEST, BAG_INFO)


def build_sip(context: StepContext) -> StepResult:
    """Make the SIP in ``sip/``: payload in ``data/``, the depositor's tag files in ``metadata/submission/``.

    The payload is moved by renaming folders, not copied. The sheet ``sip`` names each file as it will be
    called in the AIP. bagit-python gives a second opinion on the bag before the step is done.
    """
    workspace = context.workspace
    settled = workspace.read_json("validated")
    root = settled["root"] if settled["kind"] == "bag" else ""
    bag = settled["kind"] == "bag"
    incoming = f"incoming/{content_path(root.rstrip('/'))}" if root else "incoming"
    payload = f"{incoming}/data" if bag else incoming
    move_folder(workspace.path / payload, workspace.sip / "data")
    (workspace.sip / "data").mkdir(parents=True, exist_ok=True)

    def placed() -> Iterator[FileEntry]:
        for entry in workspace.read_sheet("identified"):
            if not entry.path.startswith(root):
                continue  # debris beside the bag, which validation has named
            inner = entry.path.removeprefix(root)
            role = Role.SUBMISSION if bag and not inner.startswith("data/") else Role.ORIGINAL
            if role is Role.ORIGINAL:
                name = inner.removeprefix("data/") if bag else inner
                path, location = f"data/original/{name}", below("sip/data", name)
                now_at = carried(entry.location, payload + "/", "sip/data/")
            else:
                path, location = f"metadata/submission/{inner}", below("sip/metadata/submission", inner)
                now_at = entry.location
            if now_at != location:
                move_file(workspace.path / now_at, workspace.path / location)
            yield evolved(entry, path=path, location=location, role=role)

    _write_sheet_and_tags(context, settled, placed())
    event = context.event(
        "information package creation", "SIP built as a BagIt 1.0 bag in our own profile", note="SIP"
    )
    return with_second_opinion(context, workspace.sip, _sip_paths(context), event)


def sip_path(entry: FileEntry) -> str:
    """Return what a file that the sheet names as in the AIP is called in the SIP."""
    return "data/" + entry.path.removeprefix(ORIGINALS) if entry.role is Role.ORIGINAL else entry.path


def _sip_paths(context: StepContext) -> Iterator[tuple[str, str]]:
    for entry in context.workspace.read_sheet("sip"):
        yield sip_path(entry), entry.location.removeprefix("sip/")
    for name in (*OWN_TAGS, TAG_MANIFEST):
        yield name, name


def _write_sheet_and_tags(context: StepContext, settled: dict[str, Any], placed: Iterable[FileEntry]) -> None:
    """Write the sheet ``sip`` and the bag's own files in one pass over what is `placed`."""
    sip, package = context.workspace.sip, context.package
    tags = [
        (RECORD_NAME, write_bytes(sip / RECORD_NAME, dump_record(settled["record"]))),
        (DECLARATION, write_bagit_txt(sip)),
    ]
    files = size = 0
    theirs: list[tuple[str, str]] = []

    def payload(sheet: SheetWriter) -> Iterator[tuple[str, str]]:
        nonlocal files, size
        for entry in placed:
            sheet.add(entry)
            if entry.role is Role.ORIGINAL:
                files, size = files + 1, size + entry.size
                yield sip_path(entry), entry.sha512
            else:
                theirs.append((entry.path, entry.sha512))

    with context.workspace.open_sheet("sip") as sheet:
        manifest = write_manifest(sip / PAYLOAD_MANIFEST, payload(sheet))
    tags.append((PAYLOAD_MANIFEST, manifest))
    info = [
        *((label, value) for label, value in settled["info"] if label.lower() in CARRIED_OVER),
        ("External-Identifier", package_urn(package.id)),
        ("Bagging-Date", package.created[:10]),
        ("Payload-Oxum", payload_oxum(size, files)),
        ("Bag-Software-Agent", f"{HOLDFAST.name} {HOLDFAST.version}"),
        (
            "BagIt-Profile-Identifier",
            schemas.load("bagit-profile.json")["BagIt-Profile-Info"]["BagIt-Profile-Identifier"],
        ),
    ]
    tags.append((BAG_INFO, write_bag_info(sip, info)))
    own = [(path, written.sha512) for path, written in tags]
    write_manifest(sip / TAG_MANIFEST, [*own, *theirs])
