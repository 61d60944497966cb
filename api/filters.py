"""Which packages: the filters of `holdfast list`, as a query and as JSON."""

from typing import Annotated

from fastapi import Depends, Query
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from packages.ledger import JobState, PackageFilter, PackageState
from packages.moments import HINT, moment_of
from services.ingest.step_table import SEQUENCES

STEPS = list(dict.fromkeys(name for sequence in SEQUENCES.values() for name, _ in sequence))


def _step(value: str) -> str:
    if value not in STEPS:
        raise ValueError(f"there is no such step: one of {', '.join(STEPS)}")
    return value


def _past(value: str) -> str:
    try:
        return moment_of(value, past=True)
    except ValueError as error:
        raise ValueError(f"{error}: {HINT}") from None


Step = Annotated[str, AfterValidator(_step), Field(json_schema_extra={"enum": STEPS})]
Since = Annotated[
    str, StringConstraints(max_length=100), AfterValidator(_past), Field(examples=["2026-11-21", "7d"])
]
Words = Annotated[str, StringConstraints(max_length=2000)]


class FilterModel(BaseModel):
    """Which packages: all fields that are given must hold."""

    state: PackageState | None = Field(default=None, description="The package's life.")
    work: JobState | None = Field(default=None, description="The state of its latest work.")
    step: Step | None = Field(default=None, description="The step at which its latest work stands.")
    reason: Words | None = Field(default=None, description="A part of the reason why it stands there.")
    since: Since | None = Field(default=None, description="Changed since: a time, a date, or a span.")
    owner: Words | None = Field(default=None, description="Whose; depositors see their own only.")

    def as_filter(self) -> PackageFilter:
        """Return it as the catalogue takes it."""
        return PackageFilter(**self.model_dump())


def _filter(wanted: Annotated[FilterModel, Query()]) -> PackageFilter:
    return wanted.as_filter()


Filter = Annotated[PackageFilter, Depends(_filter)]
