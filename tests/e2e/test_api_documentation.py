"""docs/api.md: every command on the page is run, one after the other, against a real server."""

import json
import os
import re
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.work.engine import run_due
from tests.support.server import server_of
from tests.support.serving import House, house_with

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"


def commands() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@contextmanager
def working(house: House) -> Iterator[None]:
    """Work on what comes in, as a worker does."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.1):
            run_due(house.archive)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join()


def test_the_commands_of_the_page_do_what_it_says(tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        assert not os.environ.get("CI"), "curl is absent"
        pytest.skip("curl is absent")
    (tmp_path / "work").mkdir()
    with zipfile.ZipFile(tmp_path / "work" / "plans.zip", "w") as plans:
        plans.writestr("letter.txt", "Dear harbour,\n")
        plans.writestr("mole.csv", "year;metres\n1911;40\n")
    script = "set -euo pipefail\n" + "\n".join(commands())
    with house_with(tmp_path) as house, server_of(house.app) as server, working(house):
        ended = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path / "work",
            env={"PATH": os.environ["PATH"], "ARCHIVE": server.url, "TOKEN": house.people["admin"].secret},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        run_due(house.archive)
        found = {
            each.name: json.loads(each.read_text())
            for each in (tmp_path / "work").iterdir()
            if each.suffix in {".json", ".jsonld"}
        }
        package = house.client("admin").get(f"/api/packages/{found['package.json']['id']}").json()
    assert found["status.json"]["state"] == "published"
    assert found["status.json"]["title"] == "Plans of the harbour"
    assert [each["id"] for each in found["published.json"]["packages"]] == [package["id"]]
    assert len(found["events.json"]["events"]) == 5
    assert (tmp_path / "work" / "first-bytes").read_bytes() == b"Dear harbo"
    for name in ("dip.zip", "aip.zip"):
        with zipfile.ZipFile(tmp_path / "work" / name) as given:
            assert given.testzip() is None
    assert (package["version"], package["title"]) == (2, "Plans of the old harbour")
    assert found["held.json"]["hold"] == "court order 12/26"
    assert found["released.json"]["hold"] is None
    assert found["preview.json"]["number"] == 0
    assert found["feed.json"]["events"]
    assert found["hits.json"]["total"] == 1
    assert found["token.json"]["token"].startswith("hft_")
    assert {each["name"]: each["state"] for each in found["tokens.json"]["tokens"]}["harvester"] == "revoked"
    assert found["health.json"]["status"] == "warning"
    assert "holdfast_packages" in (tmp_path / "work" / "metrics.txt").read_text()
