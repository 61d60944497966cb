"""One call of the command: which home, how to speak, and the archive, opened when it is first needed."""

import contextlib
import os
import sys
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cli import exit_codes
from cli.voice import Voice
from packages.errors import HoldfastError, Refused

if TYPE_CHECKING:
    from cli.progress import Activity, StepObserver
    from packages.model import Actor
    from services.archive import Archive
    from services.toolbox import Toolbox


class UsageError(Exception):
    """The command was called in a way that makes no sense; exit code 2."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass
class Call:
    """What every command gets beside its own parameters.

    Services are imported when the archive is opened, not before: `--help` must answer at once.
    """

    home: Path
    voice: Voice
    interrupted_hint: str = field(default="", init=False)
    """What to say about going on when somebody interrupts; commands fill it in as they get along."""

    @cached_property
    def archive(self) -> "Archive":
        """Return the archive in the home. Raises NotFound where there is none."""
        from services.archive import open_archive  # noqa: PLC0415  # start-up time

        return self.opened(lambda: open_archive(self.home))

    @cached_property
    def actor(self) -> "Actor":
        """Return the operating system's user, on whose behalf everything is done."""
        from services.administration.people import local_actor  # noqa: PLC0415  # start-up time

        return local_actor(self.archive)

    def make_archive(self, purpose: str, *, works_here: bool = False, anew: Collection[str] = ()) -> bool:
        """Make or complete the archive in the home for a `Purpose`; tell whether it is new.

        With `works_here` the tools of an ingest start now: they load while the catalogue is opened. `anew`
        are stores that begin in an empty folder though they had copies.
        """
        with contextlib.ExitStack() as at_failure:
            tools = at_failure.enter_context(contextlib.closing(_started_tools())) if works_here else None
            archive, is_new = self._init_archive(purpose, tools, anew)
            at_failure.pop_all()  # it has the tools now, and closes them
        self.__dict__["archive"] = archive
        return is_new

    def _init_archive(
        self, purpose: str, tools: "Toolbox | None", anew: Collection[str]
    ) -> "tuple[Archive, bool]":
        from services.archive import Purpose, init_archive  # noqa: PLC0415  # start-up time

        made: list[bool] = []

        def opener() -> "Archive":
            archive, is_new = init_archive(self.home, Purpose(purpose), tools, anew=anew)
            made.append(is_new)
            return archive

        return self.opened(opener), made[0]

    def opened(self, opener: Callable[[], "Archive"]) -> "Archive":
        """Open an archive and its log; a home or a setting that cannot be used is wrong usage."""
        try:
            archive = opener()
        except Refused as error:
            raise UsageError(error.message, error.hint) from error
        log_to(self.home)
        return archive

    def observer(self) -> "StepObserver":
        """Return what shows the steps of a job on stderr."""
        from cli.progress import step_observer  # noqa: PLC0415  # start-up time

        return step_observer(self.voice)

    def activity(self, what: str) -> AbstractContextManager["Activity"]:
        """Return a context that shows on a terminal how many bytes are through."""
        from cli.progress import Activity  # noqa: PLC0415  # start-up time

        return Activity(what, self.voice)

    def close(self) -> None:
        """Give everything back."""
        archive = self.__dict__.pop("archive", None)
        if archive is not None:
            archive.close()


def _started_tools() -> "Toolbox":
    from services.toolbox import Toolbox  # noqa: PLC0415  # start-up time

    tools = Toolbox()
    tools.start()
    return tools


def log_to(home: Path) -> None:
    """Send what libraries log, from warnings on, to ``logs/holdfast.log`` in the home and nowhere else."""
    import logging  # noqa: PLC0415  # start-up time

    root = logging.getLogger()
    if any(getattr(each, "holdfast_home", None) == home for each in root.handlers):
        return
    try:
        (home / "logs").mkdir(mode=0o700, exist_ok=True)
        handler: logging.Handler = logging.FileHandler(
            home / "logs" / "holdfast.log", encoding="utf-8", delay=True
        )
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    handler.setLevel(logging.WARNING)
    vars(handler)["holdfast_home"] = home
    root.addHandler(handler)
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False  # a log that cannot be written must not be what a person sees


def defect(call: Call, error: BaseException) -> int:
    """Record a defect of ours where somebody can find it, and tell the person in one sentence."""
    import tempfile  # noqa: PLC0415  # hardly ever needed
    import traceback  # noqa: PLC0415  # same reason

    text = "".join(traceback.format_exception(error))
    folder = call.home / "logs"
    try:
        if not folder.is_dir():
            folder = Path(tempfile.mkdtemp(prefix="holdfast-defect-"))
        with (folder / "holdfast.log").open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(text)
        where = f"details are in {folder / 'holdfast.log'}"
    except OSError:
        where = "its details could not be written"
    call.voice.failure("internal", f"a defect of Holdfast: {type(error).__name__}: {error}", where)
    return exit_codes.SYSTEM


def guarded(call: Call, work: Callable[[], int]) -> int:  # noqa: PLR0911  # one return for each kind of trouble
    """Do the work of a command and turn whatever it raises into a message and an exit code."""
    try:
        return work()
    except HoldfastError as error:
        call.voice.fail(error)
        return exit_codes.BY_KIND[error.kind]
    except UsageError as error:
        call.voice.failure("usage", error.message, error.hint)
        return exit_codes.USAGE
    except KeyboardInterrupt:
        call.voice.failure(
            "interrupted", "interrupted", call.interrupted_hint or "nothing was left half done"
        )
        return exit_codes.INTERRUPTED
    except BrokenPipeError:  # whoever read the output has seen enough
        _forget_output()
        return exit_codes.INTERRUPTED
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        call.voice.failure("unavailable", f"{named}{error.strerror or error}")
        return exit_codes.SYSTEM
    except Exception as error:  # noqa: BLE001  # the last edge: nobody is shown a traceback
        return defect(call, error)
    finally:
        try:
            call.close()
        except HoldfastError as error:
            print(f"error: {error.message}", file=sys.stderr)


def _forget_output() -> None:
    """Send what is still buffered nowhere, so that the interpreter does not complain at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
