"""Adding to a reception: files that come from elsewhere, under the same limits and digests."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from packages.content_paths import content_path
from storage.sources.intake import Intake, Reader
from storage.sources.limits import Limits
from storage.staging import Workspace


@dataclass(frozen=True, slots=True)
class Further:
    """One more file: its path in the submission, and what opens its content."""

    path: str
    open: Callable[[], AbstractContextManager[Reader]]


def add_files(
    workspace: Workspace,
    limits: Limits,
    further: Iterable[Further],
    *,
    known: int,
    algorithms: Iterable[str] = (),
    left_out: tuple[type[Exception], ...] = (),
    done: Callable[[Further, Exception | int], None],
    progress: Callable[[int], None] | None = None,
) -> None:
    """Take `further` files into ``incoming/`` and add their rows to the sheet ``received``.

    `known` is how many bytes were received before, for the limits. One whose content raises an exception of
    `left_out` is not taken; `done` is told of each, with its size or that exception, before the sheet is
    whole. Other exceptions leave the sheet as it was. May be called again after a crash. Raises Invalid for
    more than the limits allow, Unavailable where there is no space.
    """
    intake = Intake(workspace, limits, progress=progress)
    with intake:
        intake.go_on()
        intake.declare(algorithms)
        intake.bytes = known
        for each in further:
            place = intake.incoming / content_path(each.path)
            try:
                with each.open() as stream:
                    place.unlink(missing_ok=True)  # what a run that was killed or broke off has left
                    done(each, intake.take_stream(each.path, stream, None))
            except left_out as error:
                done(each, error)


def parents(path: str) -> Iterator[str]:
    """Yield every folder above `path`."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
