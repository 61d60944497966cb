"""O3: every route as every role. What is somebody else's looks exactly as if it were not there."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest

from api.app import ROUTERS
from tests.support.serving import House, house_of

ROUTES = sorted(
    {
        (method, re.sub(r":[a-z_]+\}", "}", route.path))
        for router in ROUTERS
        for route in router.routes
        for method in route.methods
    }
)
ENDLESS = {"/live"}
"""Streams of events: they tell no package's name, and never end, so they are tested where they are made."""

PRIVATE = ("restricted", "rejected", "queued")
"""Packages of the owner's that nobody but them and archivists may know of."""
ARCHIVISTS_ONLY = {
    ("GET", "/api/events"),
    ("GET", "/api/audits"),
    ("GET", "/api/audits/{audit_id}"),
    ("GET", "/api/audits/{audit_id}/reports"),
    ("GET", "/api/audits/{audit_id}/report"),
    ("GET", "/api/alarms"),
    ("GET", "/api/entries"),
    ("GET", "/api/deletions"),
    ("GET", "/deletions"),
    ("GET", "/api/policy"),
    ("GET", "/api/stores"),
    ("GET", "/fixity"),
    ("GET", "/metrics"),
}
ADMINS_ONLY = {
    ("GET", "/api/tokens"),
    ("POST", "/api/tokens"),
    ("POST", "/api/tokens/{id}/confirm"),
    ("DELETE", "/api/tokens/{id}"),
}
OF_A_PACKAGE = [each for each in ROUTES if "{id}" in each[1] and "tokens" not in each[1]]
OPEN_TO_ALL = {
    "/records/{id}",
    "/records/{id}/thumbnails/{path}",
    "/api/packages/{id}/dip",
    "/api/packages/{id}/files/{path}",
}
"""Where a package's own access decides, and not who keeps it."""
BODIES = {
    "PATCH": {
        "content": b'{"title": "mine now"}',
        "headers": {"Content-Type": "application/merge-patch+json"},
    },
    "POST": {"json": {"reason": "mine now"}},
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One that nothing changes: every request of these tests is refused, or only looks."""
    with house_of(tmp_path_factory.mktemp("roles"), requests_per_second=100_000) as made:
        yield made


def ask(house: House, who: str | None, method: str, path: str, **given: object) -> httpx2.Response:
    if path == "/packages/{id}/decision":
        return house.client(who).request(method, path, data={"verb": "cancel"})
    return house.client(who).request(method, path, **{**BODIES.get(method, {}), **given})


def address(path: str, package: str, file: str = "data/original/letter.txt") -> str:
    named = path.replace("{id}", package).replace("{path}", file)
    return f"{named}?path={quote(file)}" if path.endswith("/packages/{id}/file") else named


def without_names(answer: httpx2.Response, *names: str) -> tuple[int, str, str]:
    text = answer.text
    for each in (*names, answer.headers["x-request-id"], quote(answer.headers["x-request-id"])):
        text = text.replace(each, "…")
    return answer.status_code, answer.headers.get("content-type", ""), text


def test_the_walk_knows_the_routes() -> None:
    assert len(ROUTES) > 40
    assert {("GET", "/api/packages/{id}/aip"), ("GET", "/packages/{id}"), ("POST", "/api/decisions")} <= set(
        ROUTES
    )
    assert {each[1] for each in OF_A_PACKAGE} >= OPEN_TO_ALL


@pytest.mark.parametrize(("method", "path"), OF_A_PACKAGE)
@pytest.mark.parametrize("who", ["other", None])
def test_O3_what_is_somebody_elses_looks_as_if_it_were_not_there(
    house: House, who: str | None, method: str, path: str
) -> None:
    absent = str(uuid.uuid4())
    told_of_nothing = without_names(ask(house, who, method, address(path, absent)), absent)
    assert told_of_nothing[0] in {303, 401, 403, 404, 412, 415, 422, 428}
    hidden = PRIVATE if path in OPEN_TO_ALL else tuple(set(house.packages) - {"other", "other_hidden"})
    for name in hidden:
        package = house.packages[name]
        for reference in (package, package[:8] if not path.startswith("/records") else package):
            asked = without_names(ask(house, who, method, address(path, reference)), package, reference)
            nothing = told_of_nothing
            if reference != package:
                short = absent[:8]
                nothing = without_names(ask(house, who, method, address(path, short)), absent, short)
            assert asked == nothing, (name, reference)
            assert f"Title of {name}" not in asked[2]


@pytest.mark.parametrize(("method", "path"), [each for each in OF_A_PACKAGE if each[0] in {"GET", "HEAD"}])
@pytest.mark.parametrize("who", ["owner", "archivist", "admin"])
def test_owners_and_archivists_see_what_is_theirs_to_see(
    house: House, who: str, method: str, path: str
) -> None:
    for name in ("published", "restricted"):
        answer = ask(house, who, method, address(path, house.packages[name]))
        if path.endswith("/aip") and who == "owner":
            assert answer.status_code in {403, 404}, "an AIP is for archivists only"
        elif path.endswith("/thumbnails/{path}"):
            assert answer.status_code in {200, 404}
        elif who != "owner" and path.endswith("/packages/{id}"):
            assert answer.status_code in {200, 303}
        else:
            assert answer.status_code in {200, 303}, answer.text


@pytest.mark.parametrize("who", ["other", None])
def test_O3_an_identifier_that_may_not_be_followed_looks_unknown(house: House, who: str | None) -> None:
    with house.archive.catalogue.read() as view:
        known = view.package(house.packages["restricted"]).pid
    unknown = house.archive.pids.reserve(str(uuid.uuid4()))
    assert known
    client = house.client(who)
    for begin in ("/", "/api/packages/"):
        asked, nothing = (without_names(client.get(begin + each), each) for each in (known, unknown))
        assert asked == nothing
    assert house.packages["restricted"] not in client.get(f"/{known}").text
    assert house.client("owner").get(f"/{known}").status_code == 302


LISTS = [each for each in ROUTES if "{" not in each[1] and each[0] == "GET" and each[1] not in ENDLESS]


@pytest.mark.parametrize(("method", "path"), LISTS)
@pytest.mark.parametrize("who", ["other", None])
def test_O3_no_list_tells_of_what_is_somebody_elses(
    house: House, who: str | None, method: str, path: str
) -> None:
    queries = ["", "?q=Title", "?limit=1000", "?verb=ListRecords&metadataPrefix=oai_dc"]
    owner = house.people["owner"].actor.id
    for query in (*queries, f"?owner={owner}", f"?q={house.packages['restricted']}", "?state=rejected"):
        answer = house.client(who).request(method, path + query)
        for name in PRIVATE:
            # To harvesters a package that is closed is a deleted record, which tells its identifier only.
            found = re.sub(r'<header status="deleted">.*?</header>', "", answer.text)
            if house.packages[name] not in query:
                assert house.packages[name] not in found, (path, query)
            assert f"Title of {name}<" not in found
            assert f'"Title of {name}"' not in found


@pytest.mark.parametrize(("method", "path"), sorted(ARCHIVISTS_ONLY | ADMINS_ONLY))
def test_what_is_for_archivists_or_administrators_is_for_nobody_else(
    house: House, method: str, path: str
) -> None:
    answers = {
        who: ask(house, who, method, path.replace("{id}", "nothing")).status_code
        for who in (None, "other", "owner", "archivist", "admin")
    }
    assert answers[None] in {401, 303}
    assert answers["other"] == answers["owner"] == 403
    if (method, path) in ADMINS_ONLY:
        assert answers["archivist"] == 403
    else:
        assert answers["archivist"] == (404 if "{audit_id}" in path else 200)
    assert answers["admin"] in {200, 404, 422}


@pytest.mark.parametrize(("method", "path"), [each for each in ROUTES if each[0] not in {"GET", "HEAD"}])
def test_nobody_changes_anything_without_signing_in(house: House, method: str, path: str) -> None:
    if path in {"/sign-in", "/sign-out", "/oai"}:
        return  # the way in, the way out, and questions of harvesters
    answer = ask(house, None, method, address(path, house.packages["published"]))
    assert answer.status_code in {303, 401, 403}, answer.text
    if answer.status_code == 303:
        assert answer.headers["location"].startswith("/sign-in")


def test_nothing_was_changed_by_all_this(house: House) -> None:
    found = house.client("admin").get("/api/packages").json()["packages"]
    assert {each["id"] for each in found} == set(house.packages.values())
    assert {each["title"] for each in found if each["version"]} == {
        f"Title of {name}" for name in house.packages if name not in {"rejected", "queued"}
    }
    assert all(each["hold"] is None for each in found)


def test_a_prefix_means_ones_own_packages_only(tmp_path: Path) -> None:
    from tests.support.serving import house_with

    with house_with(tmp_path) as house:
        own = house.deposit("owner", "own", until="receive")
        with house.archive.catalogue.read() as view:
            row = view.package(own)
        from dataclasses import replace

        twin = own[:8] + "-0000-4000-8000-000000000000"
        with house.archive.catalogue.write() as unit:
            unit.add_package(replace(row, id=twin, owner=house.people["other"].actor.id))
        assert house.client("owner").get(f"/api/packages/{own[:8]}").json()["id"] == own
        assert house.client("other").get(f"/api/packages/{own[:8]}").json()["id"] == twin
        many = house.client("archivist").get(f"/api/packages/{own[:8]}")
        assert many.status_code == 409
        assert twin in many.text
