"""An archivist's hand over HTTP: one or many packages, with a preview; and what is refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.work.engine import run_due
from tests.support.serving import House, house_with


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[House]:
    """An archive in which everything waits for an archivist, with three packages of the owner's."""
    with house_with(tmp_path, approval="always") as house:
        for name in ("one", "two", "three"):
            house.deposit("owner", name)
        yield house


def decide(client: TestClient, **body: Any) -> Any:
    answer = client.post("/api/decisions", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def state(house: House, name: str) -> str:
    return str(house.client("archivist").get(f"/api/packages/{house.packages[name]}").json()["state"])


def test_H15_an_archivist_decides_with_a_reason_and_twice_is_once(waiting: House) -> None:
    client, (one, two, _) = waiting.client("archivist"), waiting.packages.values()
    approved = client.post(f"/api/packages/{one}/approve", json={"reason": "looked through"})
    assert approved.status_code == 200
    assert approved.json()["work"]["outcome"] == "queued"
    assert client.post(f"/api/packages/{one}/approve").status_code == 200, "twice is once; no body is needed"
    assert client.post(f"/api/packages/{one}/reject", json={"reason": "late"}).status_code == 409
    for wrong in ({}, {"reason": ""}, {"reason": "  "}, {"reason": 7}, {"why": "x"}, {"reason": "x" * 2001}):
        assert client.post(f"/api/packages/{two}/reject", json=wrong).status_code == 422, wrong
    assert client.post(f"/api/packages/{two}/reject", json={"reason": "another harbour"}).status_code == 200
    run_due(waiting.archive)
    assert state(waiting, "one") == "published"
    assert state(waiting, "two") == "rejected"
    shown = waiting.client("owner").get(f"/api/packages/{two}").text
    assert "another harbour" in shown, "the depositor reads why"


def test_cancelling_twice_is_cancelling_once_and_leaves_nothing(waiting: House) -> None:
    client, package = waiting.client("owner"), waiting.packages["one"]
    assert (
        client.post(f"/api/packages/{package}/cancel", json={"reason": "mine"}).json()["state"] == "cancelled"
    )
    again = client.post(f"/api/packages/{package}/cancel")
    assert (again.status_code, again.json()["state"]) == (200, "cancelled")
    retried = client.post(f"/api/packages/{package}/retry")
    assert retried.status_code == 409
    assert retried.json()["type"] == "urn:holdfast:problem:conflict"
    assert not any(waiting.archive.staging.root.glob(f"*{package}*"))


def test_withdraw_hold_and_release_need_an_archivist_and_a_reason(waiting: House) -> None:
    client, package = waiting.client("archivist"), waiting.packages["one"]
    client.post(f"/api/packages/{package}/approve")
    run_due(waiting.archive)
    for verb in ("hold", "release", "withdraw"):
        path = f"/api/packages/{package}/{verb}"
        assert client.post(path, json={"reason": " "}).status_code == 422
        assert client.post(path).status_code == 422
        assert waiting.client("owner").post(path, json={"reason": "x"}).status_code == 403
        assert waiting.client().post(path, json={"reason": "x"}).status_code == 401
        answer = client.post(path, json={"reason": "court order \u0000 12/26"})
        assert answer.status_code == 200, answer.text
        if verb == "hold":
            assert client.post(path, json={"reason": "another"}).status_code == 409
    assert client.get(f"/api/packages/{package}").json()["state"] == "withdrawn"
    queued = waiting.packages["two"]
    assert client.post(f"/api/packages/{queued}/withdraw", json={"reason": "x"}).status_code == 409


def test_many_are_previewed_then_decided_on_by_filter(waiting: House) -> None:
    client = waiting.client("archivist")
    chosen = {"verb": "approve", "filter": {"work": "waiting"}}
    preview = decide(client, **chosen, dry_run=True)
    assert preview["number"] == 3
    assert {each["id"] for each in preview["packages"]} == set(waiting.packages.values())
    assert preview["outcomes"] == []
    assert state(waiting, "one") == "submitted"
    waiting.deposit("owner", "four")
    surprised = client.post("/api/decisions", json=chosen | {"expected": 3})
    assert surprised.status_code == 409, "one more waits than the preview showed"
    for word in ({"expected": False}, {"expected": "4"}, {"dry_run": "no"}):
        assert client.post("/api/decisions", json=chosen | word).status_code == 422, word
    done = decide(client, **chosen, expected=4, reason="all looked through")
    assert [each["changed"] for each in done["outcomes"]] == [True] * 4
    assert {each["work"] for each in done["outcomes"]} == {"queued"}
    assert decide(client, **chosen)["number"] == 0
    run_due(waiting.archive)
    assert {state(waiting, each) for each in waiting.packages} == {"published"}


def test_one_that_cannot_be_decided_on_does_not_keep_the_others(waiting: House) -> None:
    ids = [waiting.packages["one"], "no-such-package", waiting.packages["two"], waiting.packages["one"]]
    done = decide(waiting.client("archivist"), verb="approve", ids=ids)
    assert done["number"] == 3
    told = {each["id"]: each["problem"] for each in done["outcomes"]}
    assert told["no-such-package"]["status"] == 404
    assert told["no-such-package"]["type"] == "urn:holdfast:problem:not_found"
    assert told[waiting.packages["one"]] is None


def test_a_depositor_decides_on_what_is_theirs_only_and_not_by_filter(waiting: House) -> None:
    own, strange = waiting.packages["one"], waiting.deposit("other", "strange")
    done = decide(waiting.client("owner"), verb="cancel", ids=[own, strange, "no-such-package"])
    problems = {each["id"]: each["problem"] for each in done["outcomes"]}
    assert problems[own] is None
    without_names = [
        {key: str(value).replace(each, "…") for key, value in problems[each].items()}
        for each in (strange, "no-such-package")
    ]
    assert without_names[0] == without_names[1], "a stranger's package looks like none at all"
    assert problems[strange]["status"] == 404
    assert (
        decide(waiting.client("owner"), verb="approve", ids=[own])["outcomes"][0]["problem"]["status"] == 403
    )
    by_filter = waiting.client("owner").post(
        "/api/decisions", json={"verb": "cancel", "filter": {"work": "waiting"}}
    )
    assert by_filter.status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {"verb": "approve"},
        {"verb": "approve", "ids": []},
        {"verb": "approve", "ids": ["x"], "filter": {"work": "waiting"}},
        {"verb": "approve", "filter": {}},
        {"verb": "approve", "filter": {"stat": "waiting"}},
        {"verb": "approve", "filter": {"work": "idle"}},
        {"verb": "reject", "filter": {"work": "waiting"}},
        {"verb": "delete", "ids": ["x"]},
        {"verb": "approve", "ids": ["x"], "dryrun": True},
        {"verb": "approve", "ids": ["x" * 501]},
        {"verb": "approve", "ids": ["x"] * 1001},
        {"verb": "approve", "ids": ["\ud800"]},
        [],
        "approve",
    ],
)
def test_a_decision_that_cannot_be_understood_decides_nothing(waiting: House, body: Any) -> None:
    import json

    answer = waiting.client("archivist").post(
        "/api/decisions", content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert state(waiting, "one") == "submitted"
