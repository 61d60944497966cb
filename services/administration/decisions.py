"""An archivist's hand on packages in flight: retry, approve, reject, cancel."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from packages.errors import Conflict, HoldfastError, NotFound, Refused
from packages.ledger import Job, JobKind, JobState, Package, PackageFilter, PackageState
from packages.model import Actor, now
from packages.wording import counted
from services.administration.people import require_archivist
from services.archive import Archive
from services.data_management.views import stewarded
from storage.catalogue.port import WriteSession

STORED_FROM = frozenset({"store", "build_dip", "publish"})
"""Steps in which a package's content may be in the stores already: no way back but on."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of a decision on one package: the job as it stands, or the error that it met.

    `is_new` is False where the same had been decided before.
    """

    package_id: str
    job: Job | None
    error: HoldfastError | None
    is_new: bool = True

    @property
    def reason(self) -> str:
        """Return the reason that was recorded with an approval or a rejection."""
        return "" if self.job is None else str(self.job.options.get("decision", {}).get("reason", ""))


Decision = Callable[[WriteSession, Actor, Package, Job, str], None]


def decide(
    archive: Archive, actor: Actor, verb: str, references: Iterable[str], reason: str = ""
) -> list[Decided]:
    """Carry out `verb` (retry, approve, reject, cancel) on each package, each in a transaction of its own.

    One package that cannot be decided on does not keep the others from it. Repeating a decision that was
    taken is a no-op where it still holds. Workers who hold a job lose it.
    """
    act = DECISIONS[verb]
    decided = []
    for reference in references:
        try:
            with archive.catalogue.write() as unit:
                package = stewarded(unit, actor, reference)
                job = unit.open_job(package.id) or unit.latest_job(package.id)
                if job is None:
                    raise NotFound(f"{package.id} has no work that could be decided on")
                act(unit, actor, package, job, reason)
                after = unit.job(job.id)
                decided.append(Decided(package.id, after, None, is_new=after != job))
        except HoldfastError as error:
            decided.append(Decided(reference, None, error))
    for each in decided:
        if each.job is not None and not each.job.is_open:
            archive.staging.discard(each.job.id)
    return decided


def chosen(archive: Archive, actor: Actor, wanted: PackageFilter) -> list[Package]:
    """Return the packages that a filter names, for a preview. Raises Refused for a filter that names all."""
    require_archivist(actor, "decide on many packages")
    if wanted == PackageFilter():
        raise Refused(
            "no package and no filter was given", hint="name packages, or filter by state, step or reason"
        )
    with archive.catalogue.read() as view:
        return list(view.iter_packages(wanted))


def require_number(found: int, expected: int | None) -> None:
    """Raise Conflict unless as many packages were found as a preview showed, if there was one."""
    if expected is not None and expected != found:
        raise Conflict(
            f"a preview showed {counted(expected, 'package')}, and now it is {found}",
            hint="look at the preview again",
        )


def _retry(unit: WriteSession, actor: Actor, package: Package, job: Job, reason: str) -> None:
    del actor, reason
    if job.state in {JobState.DONE, JobState.RUNNING, JobState.QUEUED}:
        if job.state is JobState.QUEUED:
            unit.set_job(job.id, not_before=None, attempts=0)
        return  # it succeeded, or is being worked on: clicking twice does no harm
    if job.state is not JobState.FAILED:
        raise Conflict(f"{package.id} is {job.state}, not failed", hint=_instead(job.state))
    unit.set_job(job.id, state=JobState.QUEUED, not_before=None, attempts=0, reason="")


def _approve(unit: WriteSession, actor: Actor, package: Package, job: Job, reason: str) -> None:
    require_archivist(actor, "approve")
    _judge(unit, actor, package, job, ("approved", reason))


def _reject(unit: WriteSession, actor: Actor, package: Package, job: Job, reason: str) -> None:
    require_archivist(actor, "reject")
    if not reason:
        raise Refused("a rejection needs a reason, for the depositor", hint="add --reason")
    _judge(unit, actor, package, job, ("rejected", reason))


def _judge(unit: WriteSession, actor: Actor, package: Package, job: Job, said: tuple[str, str]) -> None:
    verdict, reason = said
    earlier = job.options.get("decision", {}).get("verdict")
    if earlier == verdict and job.state is not JobState.WAITING:
        return
    if job.state is not JobState.WAITING:
        raise Conflict(f"{package.id} is {job.state}: nobody has to decide", hint=_instead(job.state))
    decision = {"verdict": verdict, "by": actor.name, "at": now(), "reason": reason}
    unit.set_job(job.id, state=JobState.QUEUED, options={**job.options, "decision": decision}, reason="")


def _cancel(unit: WriteSession, actor: Actor, package: Package, job: Job, reason: str) -> None:
    if job.state is JobState.CANCELLED:
        return
    if not job.is_open:
        raise Conflict(
            f"{package.id} is {job.state}: there is nothing to cancel", hint="see `holdfast withdraw`"
        )
    if job.kind is JobKind.DELETE:
        raise Conflict(f"the deletion of {package.id} was approved: it is not given up half way")
    if job.step in STORED_FROM:
        raise Conflict(
            f"{package.id} is in the stores already",
            hint="let it finish (`holdfast retry`), then withdraw it",
        )
    told = f"cancelled by {actor.name}" + (f": {reason}" if reason else "")
    unit.set_job(job.id, state=JobState.CANCELLED, reason=told)
    if job.kind is JobKind.INGEST:
        unit.update_package(package.id, state=PackageState.CANCELLED)


def _instead(state: JobState) -> str:
    if state is JobState.WAITING:
        return "use `holdfast approve` or `holdfast reject`"
    return "see `holdfast status`"


DECISIONS: dict[str, Decision] = {"retry": _retry, "approve": _approve, "reject": _reject, "cancel": _cancel}
