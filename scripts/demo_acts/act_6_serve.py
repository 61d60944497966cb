"""Act 6: the archive serves depositors, readers and harvesters over HTTP."""

import base64
import hashlib
import io
import json
import time
import zipfile
from typing import Any
from urllib.request import Request, urlopen

from sickle import Sickle
from stage import SAMPLES, Stage, files_below

TITLE = "It is up for everybody: a deposit over HTTP, found by a reader, harvested by OAI-PMH"
TIMEOUT = 90.0


def play(stage: Stage) -> None:
    """Start `holdfast up`, deposit a ZIP, find it, and harvest the archive with an outside harvester."""
    began = time.perf_counter()
    addresses = stage.go_up()
    stage.tell(
        f"`holdfast up`: API, pages, worker and Prefect ready after {time.perf_counter() - began:.0f} s"
    )
    token = stage.run("token", "create", "--name", "demo", "--role", "depositor").document["token"]
    pages = addresses["pages"].rstrip("/")

    package, seconds = _deposit(pages, token)
    stage.check(
        that=package["state"] == "published",
        otherwise=f"the deposit is {package['state']}: {package['findings']}",
    )
    stage.tell(f"POST /api/deposits: {package['pid']} published after {seconds:.1f} s, its SHA-512 checked")

    with urlopen(f"{pages}/{package['pid']}", timeout=TIMEOUT) as landing:
        stage.check(that=package["id"] in landing.url, otherwise=f"{package['pid']} leads to {landing.url}")
    with urlopen(f"{pages}/api/records?q=lighthouse", timeout=TIMEOUT) as found:
        ids = [each["id"] for each in json.load(found)["hits"]]
    stage.check(that=package["id"] in ids, otherwise="a reader's search did not find it")
    stage.tell("its ARK leads to its page, and a reader's search finds it")

    harvested = {
        record.header.identifier for record in Sickle(f"{pages}/oai").ListRecords(metadataPrefix="oai_dc")
    }
    kept = {each["oai_id"] for each in stage.run("list", "--state", "published").documents}
    stage.check(that=harvested == kept, otherwise=f"{len(harvested)} records were harvested of {len(kept)}")
    stage.proved(f"deposited over HTTP, resolved, found; all {len(kept)} records harvested by sickle")


def _deposit(pages: str, token: str) -> tuple[dict[str, Any], float]:
    """Send the samples as a ZIP with its digest; return the package at its end, and the seconds it took."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as made:
        for name, file in files_below(SAMPLES / "harbour"):
            made.write(file, f"lighthouse/{name}")
        made.writestr("lighthouse/note.txt", "Sent over HTTP.\n")
    data = body.getvalue()
    digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/zip",
        "Repr-Digest": f"sha-512=:{digest}:",
        "Idempotency-Key": "demo-act-6",
        "Prefer": "wait=60",
    }
    began = time.perf_counter()
    request = Request(f"{pages}/api/deposits?title=Papers+of+the+lighthouse", data, headers)
    with urlopen(request, timeout=TIMEOUT) as answer:
        return json.load(answer), time.perf_counter() - began
