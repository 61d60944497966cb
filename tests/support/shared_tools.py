"""One set of tools for all archives of a test process: to start them takes longer than most deposits."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from services import toolbox


@contextmanager
def shared_tools() -> Iterator[None]:
    """Give the same identifier, characteriser and normaliser to each archive; they end with the block."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as owned:
        for name in ("PronomIdentifier", "Characteriser", "Normaliser"):
            tool = getattr(toolbox, name)()
            owned.callback(tool.close)
            patch.setattr(tool, "close", lambda: None)  # an archive that closes leaves it to the next one
            patch.setattr(toolbox, name, lambda tool=tool: tool)
        yield
