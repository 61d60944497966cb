"""The command on a fresh home."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import Holdfast, write


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
