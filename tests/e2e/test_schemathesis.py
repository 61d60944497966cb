"""The API tried against its own description: no server error, and nothing that is not described."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.server import server_of
from tests.support.serving import House, house_of

LEFT_OUT = "positive_data_acceptance"
"""A page token, a record and an archive are judged by more than a schema: they may be refused."""
FILES = ("data/original/letter.txt", "data/original/pictures/dot.gif", "metadata/record.json")

HOOKS = """
import random
import schemathesis

KNOWN = {known}

@schemathesis.hook
def map_path_parameters(context, path_parameters):
    draw = random.Random(repr(path_parameters))
    for name, values in KNOWN.items():
        if path_parameters and name in path_parameters and draw.random() < 0.7:
            path_parameters[name] = draw.choice(values)
    return path_parameters
"""

USUAL = 40
"""The examples of the usual profile, in which each role has one or two for each route; others have more."""

pytestmark = [pytest.mark.slow, pytest.mark.hypothesis]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """An archive whose packages the tries may change as they like."""
    with house_of(tmp_path_factory.mktemp("tried"), requests_per_second=100_000) as made:
        made.app.openapi()  # takes a second; whoever asks for it first gives up after ten
        yield made


@pytest.mark.parametrize(
    ("who", "phases", "examples"),
    [
        ("admin", "examples,coverage,fuzzing", 2),
        ("owner", "fuzzing", 1),
        (None, "fuzzing", 1),
    ],
)
def test_every_answer_is_one_that_is_described(
    house: House, tmp_path: Path, who: str | None, phases: str, examples: int
) -> None:
    times = max(1, settings().max_examples // USUAL)
    known = json.dumps({"id": list(house.packages.values()), "path": FILES})
    (tmp_path / "names_that_there_are.py").write_text(HOOKS.replace("{known}", known))
    headers = [f"{name}: {value}" for name, value in house.people[who].headers.items()] if who else []
    with server_of(house.app) as server:
        ended = subprocess.run(
            [
                *(Path(sys.executable).parent / "schemathesis", "run", f"{server.url}/openapi.json"),
                *(part for each in headers for part in ("--header", each)),
                *("--phases", phases, "--max-examples", str(examples * times), "--exclude-checks", LEFT_OUT),
                *("--generation-deterministic", "--no-shrink", "--suppress-health-check", "all"),
            ],
            cwd=tmp_path,
            env={
                **os.environ,
                "SCHEMATHESIS_HOOKS": "names_that_there_are",
                "PYTHONPATH": str(tmp_path),
                "NO_COLOR": "1",
                "COLUMNS": "160",
            },
            capture_output=True,
            text=True,
            timeout=600 * times,
            check=False,
        )
    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr[-2_000:]
    assert "Tested: 0" not in ended.stdout
