"""Getting jobs worked on in this process, and saying what came of them."""

import time
from typing import TYPE_CHECKING, Any

from cli import exit_codes
from cli.call import Call
from cli.presenting import show_package
from packages.ledger import Job, JobState

if TYPE_CHECKING:
    from services.work.launching import WorkflowLauncher

_ASK_AGAIN = 0.5
"""Seconds between two looks at a job that another process works on."""


def walk(call: Call, job: Job, *, until: str | None = None) -> Job:
    """Walk the job here, or wait for the process that has it, and return it as it stands then."""
    from services.work.launching import LocalLauncher  # noqa: PLC0415  # start-up time

    call.interrupted_hint = f"it goes on with `holdfast retry {job.package_id}`, or with `holdfast reconcile`"
    with call.observer() as observer:
        launcher: WorkflowLauncher = LocalLauncher(call.archive, observer, until=until)
        job = launcher.launch(job.id)
        while job.state is JobState.RUNNING:
            time.sleep(_ASK_AGAIN)
            job = launcher.launch(job.id)
    call.interrupted_hint = ""
    return job


def make_optional_copies(call: Call) -> None:
    """Make the copies that no package waited for, so that nobody has to be asked for them later."""
    from services.archival_storage.copies import follow  # noqa: PLC0415  # start-up time

    if len(call.archive.written_stores) == sum(
        call.archive.settings.facts(each).required for each in call.archive.written_stores
    ):
        return
    call.interrupted_hint = "the packages are archived; `holdfast reconcile` makes the optional copies"
    with call.activity("making optional copies") as progress:
        for each in follow(call.archive, untried=True, progress=progress):
            told = each.reason or "; ".join(f"{package}: {reason}" for package, reason in each.failed)
            call.voice.note(f"{each.store}: {each.made} made" + (f"; still pending: {told}" if told else ""))
    call.interrupted_hint = ""


def go_on_with_abandoned(call: Call) -> None:
    """Finish what a worker that died on this machine has left, and say so."""
    from services.data_management.reconcile import free_dead_leases  # noqa: PLC0415  # start-up time

    for job in free_dead_leases(call.archive):
        call.voice.note(f"{job.package_id}: its worker died in the step {job.step}; going on with it first")
        after = walk(call, job)
        call.voice.note(f"{job.package_id}: {after.state}" + (f": {after.reason}" if after.reason else ""))


def show_job(call: Call, job: Job, *, steps: bool = False, **beside: Any) -> None:
    """Print the package of a job as it stands after the walk, with a word on how to go on."""
    from services.data_management.views import status  # noqa: PLC0415  # start-up time

    package = status(call.archive, call.actor, job.package_id)
    call.voice.document({**package, **beside})
    show_package(call.voice, package, is_test=call.archive.pids.is_test, steps=steps)
    if hint := _hint(job):
        call.voice.note(hint)


def code_of(job: Job) -> int:
    """Return the exit code that a job's state comes to."""
    return exit_codes.BY_JOB[job.state]


def _hint(job: Job) -> str:
    package = job.package_id
    return {
        JobState.FAILED: f"→ when the cause is mended: holdfast retry {package}",
        JobState.WAITING: f"→ an archivist decides: holdfast approve {package}, or holdfast reject {package}",
        JobState.QUEUED: "→ received; holdfast reconcile goes on with it",
    }.get(job.state, "")
