"""A site that is really served, and a real browser before it: for the journeys of three kinds of people."""

import os
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

from packages.model import Actor
from services.ingest.submission import Wanted, submit
from services.work.engine import run_due, run_job
from tests.support.serving import House, house_with
from tests.support.waiting import until

PROJECT = Path(__file__).parents[2]
WIDE = {"width": 1280, "height": 800}
NARROW = {"width": 320, "height": 640}
LARGEST_PICTURE = 150_000
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
UNUSED = (
    "WebUIOmniboxPopup",  # pages of the browser's own, behind each window: they cost as much as one of ours
    "WebUIOmniboxAimPopup",
    # What Playwright leaves out as well: it says so by the same argument, of which the last one counts.
    *("HttpsFirstBalancedModeAutoEnable", "HttpsUpgrades", "MediaRouter", "NetworkTimeServiceQuerying"),
    *("OptimizationHints", "PaintHolding", "PreconnectToSearch", "ThirdPartyStoragePartitioning"),
    *("AvoidCorsURLLoaderRestartOnRedirect", "AvoidUnnecessaryBeforeUnloadCheckSync", "LensOverlay"),
    *("AimEnabled", "DestroyProfileOnBrowserClose"),
)
ARGUMENTS = (
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",  # nothing beyond loopback
    f"--disable-features={','.join(UNUSED)}",
    "--disable-gpu",  # there is none: a process that plays one draws slower
    "--disable-software-rasterizer",
    "--disable-lcd-text",
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
)


expect.set_options(timeout=60_000)  # a busy machine is no defect of a page


@dataclass
class Site:
    """An archive behind a real server; a worker walks its jobs while `working`."""

    house: House
    url: str
    working: threading.Event = field(default_factory=threading.Event)

    def take_in(self, who: str, source: Path, record: Path | None = None, **wanted: Any) -> str:
        """Deposit `source` as `who`, walk its job to its end and return the package's id."""
        actor: Actor = self.house.people[who].actor
        said = record.read_bytes() if record else None
        job = submit(self.house.archive, actor, Wanted(source, record=said, new=True, **wanted))
        run_job(self.house.archive, job.id)
        return job.package_id

    def secret(self, who: str) -> str:
        """Return the token that `who` signs in with."""
        return self.house.people[who].secret


@contextmanager
def site_of(folder: Path, **settings: str | int) -> Iterator[Site]:
    """Serve a fresh archive on a free port, with a worker beside it; nothing is in it yet."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{door.getsockname()[1]}"
        with house_with(folder, base_url=url, **settings) as house:
            server = uvicorn.Server(uvicorn.Config(house.app, log_level="warning", server_header=False))
            site = Site(house, url)
            stop = threading.Event()
            threads = (
                threading.Thread(target=server.run, kwargs={"sockets": [door]}, name="server"),
                threading.Thread(target=_work, args=(site, stop), name="worker"),
            )
            for each in threads:
                each.start()
            try:
                until(lambda: server.started)
                yield site
            finally:
                stop.set()
                server.should_exit = True
                for each in threads:
                    each.join(60)


def _work(site: Site, stop: threading.Event) -> None:
    while not stop.wait(0.1):
        if site.working.is_set():
            run_due(site.house.archive)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the machine's Chromium; skips the test where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("there is no Chromium: on Debian `apt-get install chromium`")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*ARGUMENTS, *sandbox])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visitor:
    """Somebody with a browser window, and what the browser complained of."""

    site: Site
    page: Page
    complaints: list[str]
    folder: Path

    def open(self, path: str, status: int = 200) -> Page:
        """Go to an address of the site, which must answer with `status`."""
        answer = self.page.goto(self.site.url + path)
        if answer is not None:  # else it is another place on the page that is open already
            assert answer.status == status, path
        return self.page

    def sign_in(self, who: str) -> Page:
        """Sign in by the token of `who`, as a person does."""
        page = self.open("/sign-in")
        page.get_by_label("token", exact=False).fill(self.site.secret(who))
        page.get_by_role("main").get_by_role("button", name=re.compile("sign in", re.IGNORECASE)).click()
        page.wait_for_url(lambda url: "/sign-in" not in url)
        return page

    def calm(self) -> None:
        """Fail if a script broke, a policy was violated, or something else was wanted of another host."""
        assert self.complaints == []

    def fits(self) -> None:
        """Fail if the page has to be scrolled sideways."""
        widths = self.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert widths[0] <= widths[1], f"{self.page.url} is {widths[0]} px wide in {widths[1]}"

    def accessible(self) -> None:
        """Fail if axe finds something serious or critical on the page."""
        self.page.evaluate(AXE)
        found = self.page.evaluate("axe.run({resultTypes: ['violations']})")
        serious = [
            (each["id"], [node["html"][:200] for node in each["nodes"][:3]], each["help"])
            for each in found["violations"]
            if each["impact"] in {"serious", "critical"}
        ]
        assert serious == [], (self.page.url, serious)
        assert found["passes"], "axe judged nothing"

    def picture(self, name: str) -> None:
        """Take a picture of the window: anew into docs/pictures if asked for, else into a folder to lose.

        Only pictures that the documents show are taken anew; of the others there would soon be too many.
        """
        shown = PROJECT / "docs" / "pictures" / f"{name}.png"
        wanted = os.environ.get("HOLDFAST_TEST_PICTURES") == "1" and shown.exists()
        place = shown if wanted else self.folder / f"{name}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        if wanted:
            self.page.evaluate(STILL)
        self.page.screenshot(path=place, animations="disabled", caret="hide")
        assert place.stat().st_size < LARGEST_PICTURE, f"{place} is too large for the repository"


# What differs from run to run, so that a picture changes only when the page does.
STILL = r"""() => {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const still = text => text
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '7f3c9a21-5d0e-4c55-9c0e-3a5b8f1d2e47')
    .replace(/hf1[0-9bcdfghjkmnpqrstvwxz]{13}/g, 'hf17wk2p5m0q9zx4')
    .replace(/20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}(:[0-9]{2})?( UTC|Z)?/g, '2026-03-04 09:12Z')
    .replace(/\b(\d+ (second|min|h|day)s? ago|just now|now)\b/g, '2 min ago')
    .replace(/file:\/\/\/\S+?\/home\//g, 'file:///srv/archive/')
    .replace(/^[0-9a-f]{8}$/, '7f3c9a21')
    .replace(/^[0-9a-f]{16}$/, '7f3c9a215d0e4c55')
    .replace(/hft_[A-Za-z0-9_-]{43}/g, 'hft_7f3c9a215d0e4c559c0e3a5b8f1d2e47shownthisonce00')
    .replace(/127\.0\.0\.1:[0-9]+/g, '127.0.0.1:8000');
  while (walk.nextNode()) {
    const made = still(walk.currentNode.data);
    if (made !== walk.currentNode.data) walk.currentNode.data = made;
  }
}"""


@contextmanager
def visitor_of(site: Site, browser: Browser, folder: Path, **options: Any) -> Iterator[Visitor]:
    """Open a window of its own, its pictures in `folder`.

    `options` are Playwright's for a context: size, colours, JavaScript.
    """
    context = browser.new_context(
        **{"viewport": WIDE, "locale": "en-GB", "timezone_id": "UTC", "reduced_motion": "reduce", **options}
    )
    context.set_default_timeout(60_000)
    complaints: list[str] = []
    _watch(context, site.url, complaints)
    try:
        yield Visitor(site, context.new_page(), complaints, folder)
    finally:
        context.close()


def _watch(context: BrowserContext, url: str, complaints: list[str]) -> None:
    def hold(route: Route) -> None:
        if route.request.url.startswith((url + "/", "data:")):
            route.fallback()
        else:
            complaints.append(f"wanted {route.request.url}")
            route.abort()

    def said(message: Any) -> None:
        if message.type in {"error", "warning"} and "status of 4" not in message.text:
            complaints.append(message.text)

    context.route("**/*", hold)
    context.on("console", said)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
