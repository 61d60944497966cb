"""The command on a fresh home, and a browser before a site."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support import browser
from tests.support.browser import Visitor
from tests.support.command import Holdfast, write
from tests.support.shared_tools import shared_tools


@pytest.fixture(scope="session", autouse=True)
def _tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The tools of every archive that is opened in this process."""
    with shared_tools(tmp_path_factory.getbasetemp()):
        yield


@pytest.fixture
def holdfast(home: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Holdfast]:
    """The command on a home that does not exist yet; its log handlers go with it."""
    before = list(logging.getLogger().handlers)
    yield Holdfast(home, capsys)
    for each in [each for each in logging.getLogger().handlers if each not in before]:
        logging.getLogger().removeHandler(each)
        each.close()
    logging.captureWarnings(capture=False)
    logging.raiseExceptions = True


@pytest.fixture
def deposit(tmp_path: Path) -> Path:
    """A small folder to take in."""
    return write(
        tmp_path / "deposit", [("letter.txt", b"Dear harbour,\n"), ("data/gauge.csv", b"day,cm\n1,20\n")]
    )


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The machine's Chromium, for the tests of one module."""
    with browser.chromium() as found:
        yield found


@pytest.fixture
def visit(
    request: pytest.FixtureRequest, chromium: Browser, tmp_path: Path
) -> Iterator[Callable[..., Visitor]]:
    """Open a window on the module's `site`; at the end no page may have complained."""
    with ExitStack() as windows:
        opened: list[Visitor] = []

        def visiting(**options: Any) -> Visitor:
            made = windows.enter_context(
                browser.visitor_of(request.getfixturevalue("site"), chromium, tmp_path, **options)
            )
            opened.append(made)
            return made

        yield visiting
        for each in opened:
            each.calm()
