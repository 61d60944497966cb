"""What every test lives under: a clean environment, a fresh home, no sockets in unit tests."""

import gc
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_socket
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

PROJECT = Path(__file__).resolve().parent.parent
SHARED = PROJECT.parent / "shared"
IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}

sys.path.insert(0, str(PROJECT))  # `tests.support` can be imported wherever pytest is started

# A busy machine makes no example wrong: where time matters, a test says so itself.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("usual", patient, max_examples=40)
settings.register_profile("quick", patient, max_examples=20)  # for `scripts/test unit`
settings.register_profile("thorough", patient, max_examples=2000)  # for `scripts/test thorough`
settings.load_profile("usual")

# What a developer may point at real things; a test must never reach them by accident.
CLEANED = ("HOLDFAST_", "AWS_", "PREFECT_")
KEPT = ("HOLDFAST_TEST_",)  # set by scripts/services for the tests that use real servers
OUTSIDE_TOOLS = "HOLDFAST_OUTSIDE_TOOLS"


LONGEST = (
    *("up", "flows", "test_schemathesis", "test_crash_instants", "test_crash_boundaries"),
    *("test_browser_archivist", "test_crash_workers", "test_crash_disk_full", "test_browser_depositor"),
    *("test_archival_store", "test_cli_edge", "test_edge_kinds", "test_edge_names", "test_browser_reader"),
    *("test_archival_store_s3_writers", "test_conversions", "test_rebuild_answers", "test_validity"),
)
"""Groups that take longest, half a minute and more: they begin first, lest all wait for one at the end."""
UP = {"test_demo_played", "test_up"}
"""Modules that start `holdfast up`, each with the usual ports while they are free: one after the other."""


class ByModule(LoadFileScheduling):
    """Keeps the tests of a module on one worker, and those of groups: all flows share a Prefect server.

    Not by marks of groups: pytest 9.2 takes no notice of the suffix that xdist 3.8 gives to node ids.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid.partition("::")[0])


def group_of(path: str) -> str:
    """Return what a module's tests belong to, given its path from the project's folder."""
    name = Path(path).stem
    return "flows" if path.startswith("tests/flows/") else "up" if name in UP else name


@pytest.hookimpl(optionalhook=True)  # there is none where tests run in one process
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByModule:
    """Say how tests are spread over workers."""
    return ByModule(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the groups that take longest first."""
    turns = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: turns.get(group_of(item.nodeid.partition("::")[0]), len(turns)))


def pytest_configure() -> None:
    """Use no outside converter or validator, in any process, unless a test says so by the marker `tools`."""
    os.environ[OUTSIDE_TOOLS] = "none"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Look for no garbage among what is loaded and collected, neither now nor later: it stays to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def _log_level() -> Iterator[None]:
    """Have the next test hear what this one, or ocfl-py, keeps the root logger from saying."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)


@pytest.fixture(autouse=True)
def _clean_environment(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No setting of the person who runs the tests reaches one, neither by environment nor by home."""
    for name in list(os.environ):
        if name.startswith(CLEANED) and not name.startswith(KEPT):
            monkeypatch.delenv(name)
    if request.node.get_closest_marker("tools") is None:
        monkeypatch.setenv(OUTSIDE_TOOLS, "none")
    nobody = tmp_path_factory.getbasetemp() / "nobody"
    nobody.mkdir(exist_ok=True)
    monkeypatch.setenv("HOME", str(nobody))
    monkeypatch.setenv("XDG_DATA_HOME", str(nobody / "share"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(nobody / "config"))
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A fresh home for one test; the folder does not exist yet, as on a new machine."""
    return tmp_path / "home"


@pytest.fixture
def shared() -> Path:
    """The folder ../shared (conformance suite, XSDs, corpus): skips visibly where absent, in CI too."""
    if SHARED.is_dir():
        return SHARED
    pytest.skip("../shared is absent: nothing was proved here")


@pytest.fixture
def samples() -> Path:
    """The small real files that the demo uses."""
    return PROJECT / "samples"


@pytest.hookimpl(trylast=True)  # after the plugin's own set-up
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Forbid sockets in unit tests; all others may use loopback only."""
    if "unit" in item.path.relative_to(PROJECT).parts and item.get_closest_marker("server") is None:
        pytest_socket.disable_socket(allow_unix_socket=True)
    else:
        pytest_socket.socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Turn a skip for what is absent into a failure in CI: nothing passes because a tool was missing."""
    report = yield
    absent = any(item.get_closest_marker(name) for name in ("server", "browser", "tools"))
    if IN_CI and absent and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: skipped in CI, where nothing may be missing: {report.longrepr}"
    return report
