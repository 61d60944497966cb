"""From filter options to a filter, and from what people write to a moment."""

from cli.call import UsageError
from packages.ledger import OPEN_STATES, JobState, PackageFilter, PackageState
from packages.moments import HINT, moment_of

_AT_WORK = tuple(each for each in JobState if each in OPEN_STATES)


def package_filter(
    state: str | None, step: str | None, reason: str | None, since: str | None
) -> PackageFilter:
    """Return the filter that the options mean; `state` may be a package's state or that of its work.

    Raises UsageError for words that mean nothing.
    """
    life: PackageState | None = None
    work: JobState | None = None
    if state is not None:
        word = state.lower().replace("-", "_")
        if word in list(PackageState):
            life = PackageState(word)
        elif word in _AT_WORK:
            work = JobState(word)
        else:
            raise UsageError(
                f"--state {state}: there is no such state", f"one of {', '.join([*PackageState, *_AT_WORK])}"
            )
    if step is not None:
        _require_step(step)
    moment = None if since is None else time_of("--since", since, past=True)
    return PackageFilter(state=life, work=work, step=step, reason=reason, since=moment)


def time_of(option: str, text: str, *, past: bool) -> str:
    """Return the moment that `text` means as the catalogue writes it: a date, a time, or ``7d`` from now.

    A time without a zone is UTC. Raises UsageError.
    """
    try:
        return moment_of(text, past=past)
    except ValueError:
        raise UsageError(f"{option} {text}: this is no time", HINT) from None


def _require_step(step: str) -> None:
    from services.ingest.step_table import SEQUENCES  # noqa: PLC0415  # start-up time

    known = list(dict.fromkeys(name for sequence in SEQUENCES.values() for name, _ in sequence))
    if step not in known:
        raise UsageError(f"--step {step}: there is no such step", f"one of {', '.join(known)}")
