"""Receive: stream the submission into staging, one read, all digests."""

from pathlib import Path

from packages.checksum_lists import algorithms_declared
from packages.errors import NotFound
from packages.ledger import StepOutcome
from packages.wording import counted
from services.ingest.steps.context import StepContext, StepResult
from services.ingest.steps.early import Early
from storage.sources import receive as receive_source


def receive(context: StepContext) -> StepResult:
    """Bring every byte of the source into the workspace and make it durable (OAIS: Receive Submission).

    Afterwards the sheet ``received`` lists each file with size, SHA-512, CRC-32 and the digests that the
    depositor's own lists call for. The source is read once and never altered. Free space is checked
    first. Formats are looked for meanwhile, as far as that comes.
    """
    upload = context.job.options.get("upload")
    source = context.workspace.upload if upload else Path(context.job.source)
    if not source.exists():
        raise NotFound(
            "the upload is gone" if upload else f"the source is gone: {source}",
            hint="nothing of it had been received; deposit it again when it is back",
        )
    tools = context.archive.tools
    for tool in (tools.identifier, tools.characteriser):
        tool.start()  # they load meanwhile
    with Early(tools.identifier, context.workspace) as early:
        received = receive_source(
            source,
            context.workspace,
            context.archive.limits,
            algorithms=algorithms_declared,
            progress=context.progress,
            landed=early.landed,
            name=upload,
        )
        context.workspace.sync()
    told = f"{counted(received.files, 'file')}, {counted(received.bytes, 'byte')}"
    return StepResult(
        StepOutcome.DONE,
        received.kind,
        told,
        received.findings,
        (
            context.event("ingestion", f"received {told} from a {received.kind}"),
            context.event("message digest calculation", "SHA-512 and CRC-32 computed while receiving"),
        ),
        apply=lambda unit: unit.update_package(
            context.package.id, files=received.files, bytes=received.bytes
        ),
    )
