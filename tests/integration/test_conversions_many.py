"""Very many small images in one package: they are converted by a few children, which stay."""

import subprocess
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from packages.format_policy import Outcome
from packages.model import FileEntry
from tools.normalise import Normaliser

KINDS = {"bmp": "fmt/116", "webp": "fmt/567", "png": "fmt/11", "jpg": "fmt/43", "gif": "fmt/4"}
SIDE = 8


def test_a_thousand_small_images_of_many_kinds_start_no_program_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = {suffix: tmp_path / f"a.{suffix}" for suffix in KINDS}
    for path in sources.values():
        Image.new("RGB", (SIDE, SIDE), "teal").save(path, lossless=True)
    starts: list[object] = []
    start = subprocess.Popen

    def noted(*words: Any, **more: Any) -> Any:
        starts.append(words)
        return start(*words, **more)

    monkeypatch.setattr(subprocess, "Popen", noted)
    properties = {"width": SIDE, "height": SIDE}
    originals = (
        (
            FileEntry(f"data/original/{number}.{suffix}", "", 9, "", 0, puid=puid, properties=properties),
            sources[suffix],
        )
        for number, (suffix, puid) in zip(range(1000), cycle(KINDS.items()), strict=False)
    )
    with Normaliser(size=1) as normaliser:
        normaliser.let_read(tmp_path)
        found = list(normaliser.normalise_many(originals, tmp_path / "out"))
    done = sum(each.outcome is Outcome.DONE for some in found for each in some)
    assert (len(found), done) == (1000, 200 * 3 + 200)
    assert 1 <= len(starts) <= 5, "children take turns, after some hundreds of files each"
