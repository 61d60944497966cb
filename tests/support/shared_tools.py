"""One set of tools for all archives of a test process: to start them takes longer than most deposits."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from services import toolbox

TOOLS = {name: getattr(toolbox, name) for name in ("PronomIdentifier", "Characteriser", "Normaliser")}


@contextmanager
def shared_tools(place: Path) -> Iterator[None]:
    """Give the same identifier, characteriser and normaliser to each archive; they end with the block.

    They work in `place`, below which all homes are: another home would mean other children.
    A block inside another has tools of its own.
    """
    with pytest.MonkeyPatch.context() as patch, ExitStack() as owned:
        for name, kind in TOOLS.items():
            tool = kind()
            owned.callback(tool.close)
            tool.work_in(place, place / "scratch")
            patch.setattr(tool, "close", lambda: None)  # an archive that closes leaves it to the next one
            patch.setattr(tool, "work_in", lambda *_: None)
            patch.setattr(toolbox, name, lambda tool=tool: tool)
        yield
