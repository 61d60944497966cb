"""Mint: reserve the persistent identifier; it becomes public only when the package is published."""

from packages.ledger import StepOutcome
from services.ingest.steps.context import StepContext, StepResult
from storage.catalogue.port import WriteSession


def mint(context: StepContext) -> StepResult:
    """Reserve the package's PID and its OAI identifier; the same ones however often this is repeated."""
    package, settings = context.package, context.archive.settings
    pid = package.pid or context.archive.pids.reserve(package.id)
    oai_id = package.oai_id or f"oai:{settings.oai_namespace}:{package.id}"

    def record(unit: WriteSession) -> None:
        unit.reserve_pid(pid, package.id)
        unit.update_package(package.id, pid=pid, oai_id=oai_id)

    kind = "test identifier" if context.archive.pids.is_test else "identifier"
    event = context.event("identifier assignment", f"reserved the {kind} {pid}", note=pid)
    return StepResult(StepOutcome.DONE, "reserved", pid, (), (event,), apply=record)
