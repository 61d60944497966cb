"""Format migration as an act of the whole archive: what it would come to, and a job for each package.

A job of the kind *migrate* does the work (`services.ingest.steps.migrate`). What is done is known from the
ledger and from PREMIS, so the same migration asked for again adds only what is neither done nor under way.
"""

import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from packages.changes import Changes
from packages.errors import Conflict
from packages.format_policy import FormatPolicy
from packages.ledger import KEPT_STATES, Job, JobKind, JobState, Package
from packages.model import Actor, FileEntry, Role, now
from packages.outside_tools import SWITCHED_OFF
from services.administration.people import require_archivist
from services.archive import Archive
from services.preservation_planning.held_formats import formats_by_package
from services.preservation_planning.policy import format_policy
from services.preservation_planning.reidentify import EVENT, STEP
from storage.catalogue.port import ReadSession
from tools.normalise.crew import missing

POLICY = "Holdfast format policy"
"""The agent of PREMIS that names the policy by which derivatives were made."""
FIRST_STEP = "gather"
_TOOL_MISSING = "normalise.tool-missing"


class Standing(StrEnum):
    """Where a package stands before a migration; closed."""

    DUE = "due"
    DONE = "done"  # today's policy has been applied to these formats
    OPEN = "open"  # other work on it is open: it may be this migration
    NO_RULE = "no_rule"  # the policy makes nothing of any of these files


class Made(NamedTuple):
    """One kind of derivative that would be made of a format."""

    puid: str
    kind: str
    tool: str
    recipe: str
    label: str


@dataclass(frozen=True, slots=True)
class Concerned:
    """One package with originals of the formats: how many, of how many bytes, and where it stands."""

    package_id: str
    title: str
    standing: Standing
    files: int
    bytes: int


@dataclass(slots=True)
class MigrationPlan:
    """What a migration would do: `made` counts derivatives of packages that are due, by what they are.

    `missing` names the tools that are not installed, with the reason; `outside` says which may be used at
    all, as the setting does.
    """

    puids: tuple[str, ...]
    policy: str
    outside: str
    packages: list[Concerned] = field(default_factory=list)
    made: Counter[Made] = field(default_factory=Counter)
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def due(self) -> list[Concerned]:
        """Return the packages that a job is to be entered for."""
        return [each for each in self.packages if each.standing is Standing.DUE]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        due = self.due
        return {
            "puids": list(self.puids),
            "policy": self.policy,
            "due": len(due),
            "files": sum(each.files for each in due),
            "bytes": sum(each.bytes for each in due),
            "make": [{**each._asdict(), "files": files} for each, files in sorted(self.made.items())],
            "tools_missing": dict(self.missing),
            "packages": [
                {"id": each.package_id, "standing": each.standing, "files": each.files, "bytes": each.bytes}
                for each in self.packages
            ],
        }


def plan_migration(
    archive: Archive, actor: Actor, puids: Sequence[str], *, limit: int | None = None, again: bool = False
) -> MigrationPlan:
    """Return what migrating originals of these formats would come to, for at most `limit` due packages.

    Changes nothing. With `again` packages that today's policy has been applied to are due too. Costs a look
    at each file of packages with such files. Raises Refused for others than archivists.
    """
    require_archivist(actor, "plan a migration")
    policy = format_policy(archive.home).using(archive.outside)
    plan = MigrationPlan(tuple(dict.fromkeys(puids)), policy.name, archive.settings.outside_tools)
    due = 0
    for package in _holding(archive, plan.puids):
        if due == limit:
            break
        concerned = _concerned(archive, package, plan, policy, again=again)
        if concerned is not None:
            plan.packages.append(concerned)
            due += concerned.standing is Standing.DUE
    plan.missing = {name: why for name in sorted({each.tool for each in plan.made}) if (why := missing(name))}
    return plan


def _holding(archive: Archive, puids: Collection[str]) -> Iterator[Package]:
    """Yield the packages that are kept and have originals of these formats."""
    for package, counts in formats_by_package(archive):
        if any(each.puid in puids for each in counts):
            yield package


def _concerned(
    archive: Archive, package: Package, plan: MigrationPlan, policy: FormatPolicy, *, again: bool
) -> Concerned | None:
    version, wanted = package.version or 0, set(plan.puids)
    with archive.catalogue.read() as view:
        found = [
            each
            for each in view.iter_files(package.id, version)
            if each.role is Role.ORIGINAL and each.puid in wanted
        ]
        made = Counter(_made_of(policy, found))
        standing = _standing(view, package, plan, again=again) if made else Standing.NO_RULE
    if not found:
        return None
    if standing is Standing.DUE:
        plan.made += made
    return Concerned(package.id, package.title, standing, len(found), sum(each.size for each in found))


def _made_of(policy: FormatPolicy, files: Iterable[FileEntry]) -> Iterator[Made]:
    for each in files:
        for action in policy.plan(each).actions:
            yield Made(each.puid or "", str(action.kind), action.tool, action.recipe, action.label)


def _standing(view: ReadSession, package: Package, plan: MigrationPlan, *, again: bool) -> Standing:
    if view.open_job(package.id) is not None:
        return Standing.OPEN
    if again:
        return Standing.DUE
    last = view.latest_job(package.id)
    renamed = [each.at for each in view.events(package.id) if (each.type, each.step) == (EVENT, STEP)]
    if (
        last is not None
        and last.kind is JobKind.MIGRATE
        and last.state is JobState.DONE
        and (last.options.get("policy"), last.options.get("outside")) == (plan.policy, plan.outside)
        and set(plan.puids) <= set(last.options.get("puids", ()))
        and all(at < last.updated for at in renamed)
        and not any(each.code == _TOOL_MISSING for each in view.findings(last.id))
    ):
        return Standing.DONE
    if package.version == 1 and not renamed and _was_ingested_by(view, package.id, plan.policy):
        return Standing.DONE
    return Standing.DUE


def _was_ingested_by(view: ReadSession, package_id: str, policy: str) -> bool:
    """Tell whether this policy made the derivatives of the first version, and all went well."""
    told = [
        (each.outcome, agent.version, SWITCHED_OFF in each.detail)
        for each in view.events(package_id)
        for agent in each.agents
        if each.type == "normalization" and agent.name == POLICY
    ]
    return bool(told) and all(each == ("success", policy, False) for each in told)


def enter_migration(archive: Archive, actor: Actor, plan: MigrationPlan) -> Iterator[Job]:
    """Enter a job for each package that is due, and yield it; they are worked on like all others.

    They bear the same word `run` in their options, for the report. A package that other work was begun on
    since the plan was made is left out: the next plan has it again. Raises Refused for who is no archivist.
    """
    require_archivist(actor, "migrate formats")
    run = uuid.uuid4().hex[:8]
    for each in plan.due:
        with archive.catalogue.read() as view:
            package = view.package(each.package_id)
        if package.state not in KEPT_STATES or package.version is None:
            continue
        at = now()
        job = Job(
            id=str(uuid.uuid4()),
            package_id=package.id,
            kind=JobKind.MIGRATE,
            created=at,
            updated=at,
            target_version=package.version + 1,
            step=FIRST_STEP,
            options={
                "by": {"id": actor.id, "name": actor.name},
                "changes": Changes((), frozenset()).as_json(),
                "run": run,
                "puids": list(plan.puids),
                "policy": plan.policy,
                "outside": plan.outside,
                "message": f"Derivatives of {', '.join(plan.puids)} made by the format policy {plan.policy}",
            },
        )
        try:
            with archive.catalogue.write() as unit:
                unit.add_job(job)
        except Conflict:
            continue
        yield job
