"""What an archivist reads in Prefect's pages: names of runs, states, and the summary at the end of a run."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Crashed, Failed

from packages.ledger import Job, JobState, Package
from packages.wording import counted
from services.archive import Archive
from services.work.outbox import INDEX

LONGEST_TITLE = 60
SHORT_ID = 8
"""Characters of an id that are shown; `holdfast status` takes them as well."""
LONGEST_REASON = 500
ELSEWHERE = "Elsewhere"
"""How a run ends that leaves its package to another one: of Prefect's type *Cancelled*, and nobody's wish."""
_ERRANDS = {
    "audit": "Audit",
    "bulk_ingest": "Deposits",
    "lift_embargoes": "Embargoes",
    "migrate": "Migration",
    "rebuild": "Rebuild",
    "reconcile": "Reconciliation",
    "reidentify": "Formats",
}
_ABBREVIATIONS = {"sip", "aip", "dip"}
_DRAWN = re.compile("[a-z]+-[a-z]+")
_MARKED = re.compile(r"([\\`*_{}\[\]()#+.!|~<>&-])")


def run_name(package: Package) -> str:
    """Return the package's title, on one line and cut to a length for lists, and the beginning of its id."""
    title = plain(package.title)
    if len(title) > LONGEST_TITLE:
        title = title[: LONGEST_TITLE - 1].rstrip() + "…"
    return f"{title} {package.id[:SHORT_ID]}".strip()


def step_name(step: str) -> str:
    """Return the name of a step as people write it."""
    return " ".join(each.upper() if each in _ABBREVIATIONS else each for each in step.split("_"))


def errand_name(deployment: str, at: datetime) -> str:
    """Return the name of a run of many packages or of none: what it does, and when it is due."""
    return f"{_ERRANDS.get(deployment, deployment)} of {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def is_drawn(name: str) -> bool:
    """Tell whether Prefect has drawn a run's name by lot (*international-chihuahua*): nobody gave it one.

    Prefect does not say so: two words in small letters that somebody typed are taken for drawn as well.
    """
    return _DRAWN.fullmatch(name) is not None


def plain(text: str) -> str:
    """Return text on one line, without what steers a terminal or turns the line round."""
    kept = (" " if each.isspace() else each for each in text)
    return " ".join("".join(each for each in kept if unicodedata.category(each)[0] != "C").split())


def marked(text: str) -> str:
    """Return text as Markdown that shows exactly it: no link, no picture, no HTML."""
    escaped = _MARKED.sub(r"\\\1", plain(text))
    return escaped.replace(r"\<", "&lt;").replace(r"\>", "&gt;").replace(r"\&", "&amp;")


def state_of(job: Job) -> State[None]:
    """Return what Prefect is to say of a run whose job stands like this.

    A rejection is work well done, with a bad verdict: *Failed* is kept for what needs an operator.
    """
    told = plain(job.reason)[:LONGEST_REASON]
    making = _STATES.get(job.state)
    if making is None:
        return Crashed(name="Interrupted", message=told or "the package goes on with the next run")
    return making(told)


_STATES: dict[JobState, Callable[[str], State[None]]] = {
    JobState.DONE: lambda told: Completed(name="Archived", message=told or None),
    JobState.REJECTED: lambda told: Completed(name="Rejected", message=told),
    JobState.WAITING: lambda _: Completed(name="Waiting", message="an archivist decides: approve or reject"),
    JobState.CANCELLED: lambda told: Cancelled(message=told),
    JobState.FAILED: lambda told: Failed(message=told),
    JobState.RUNNING: lambda _: Cancelled(name=ELSEWHERE, message="another worker has it"),
}


def summary(archive: Archive, job: Job) -> tuple[str, str]:
    """Return the Markdown summary of one package after a run, and what a list of summaries calls it."""
    with archive.catalogue.read() as view:
        package = view.package(job.package_id)
        copies = view.copies(package.id)
        steps = view.steps(job.id)
        found = len(view.findings(job.id))
        indexing = any(item.package_id == package.id for item in view.outbox(INDEX, limit=100))
    places = ", ".join(f"{each.store} {each.state}" for each in copies) or "none"
    lines = [
        f"# {marked(package.title) or package.id}",
        "",
        "| | |",
        "|---|---|",
        f"| package | [{package.id}]({page(archive, package.id)}) |",
        f"| state | {package.state}{f' ({job.state})' if job.is_open else ''} |",
        f"| identifier | {marked(package.pid or 'none')} |",
        f"| copies | {places} |",
        f"| content | {counted(package.files, 'file')}, {package.bytes:,} bytes |",
        f"| findings | {found} |",
        *([f"| reason | {marked(job.reason[:LONGEST_REASON])} |"] if job.reason else []),
        *(["| search index | is being brought up to date |"] if indexing else []),
        "",
        "| step | outcome | says |",
        "|---|---|---|",
        *(
            f"| {step_name(each.name)} | {each.outcome or 'under way'} | {marked(each.message[:200])} |"
            for each in steps
        ),
    ]
    return "\n".join(lines), f"what became of {marked(run_name(package))}"


def bulk_summary(archive: Archive, jobs: Sequence[Job], most: int = 200) -> str:
    """Return the Markdown summary of many packages: how many came to what, and those that need somebody."""
    totals: dict[str, int] = {}
    for job in jobs:
        totals[job.state] = totals.get(job.state, 0) + 1
    lines = [", ".join(f"{number} {state}" for state, number in sorted(totals.items())) or "nothing was due"]
    needing = [job for job in jobs if job.state is not JobState.DONE]
    if needing:
        lines += ["", "| package | state | reason |", "|---|---|---|"]
        lines += [
            f"| [{job.package_id[:SHORT_ID]}]({page(archive, job.package_id)}) | {job.state} "
            f"| {marked(job.reason[:200])} |"
            for job in needing[:most]
        ]
    if len(needing) > most:
        lines.append(f"\nand {len(needing) - most} more")
    return "\n".join(lines)


def listed(heading: str, lines: Iterable[str]) -> str:
    """Return a heading and a Markdown list."""
    return "\n".join([f"# {heading}", "", *(f"- {marked(each)}" for each in lines)])


def page(archive: Archive, package_id: str) -> str:
    """Return the address of a package's page."""
    return f"{archive.settings.base_url}/packages/{package_id}"
