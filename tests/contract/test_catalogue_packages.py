"""The catalogue's contract: packages and what hangs on them."""

import dataclasses

import pytest

from packages.errors import Conflict, Internal, Invalid, NotFound
from packages.ledger import (
    CopyRecord,
    CopyState,
    IdempotencyKey,
    JobState,
    PackageFilter,
    PackageState,
    Person,
    PidState,
    Token,
)
from packages.model import Access, Openness
from storage.catalogue import Catalogue
from tests.support.catalogues import T0, T1, T2, T9, make_event, make_job, make_package, make_version

ODD = 'Ünï\u0301côdé 日本\u202e\U0001f409 "quoted" \\ %_ \t\n '


def test_a_package_comes_back_as_it_was(catalogue: Catalogue) -> None:
    package = make_package(
        title=ODD,
        access=Access(Openness.OPEN, Openness.EMBARGOED, files_until="2031-01-01"),
        fingerprint="f" * 128,
        pid="ark:99999/fk4b",
        oai_id="oai:archive.localhost:1",
        oai_datestamp=T1,
        files=3,
        bytes=2**53,
        predecessor="before",
        source_name="folder",
        record={"a": [1, 2.5, None, {"b": ODD}], "lone": "\ud800", "big": 2**70},
    )
    with catalogue.write() as session:
        session.add_package(package)
        assert session.package(package.id) == package
    with catalogue.read() as session:
        assert session.package(package.id) == package
        with pytest.raises(NotFound):
            session.package(make_package(2).id)


def test_A12_a_title_may_be_long_odd_and_hold_what_no_database_keeps(catalogue: Catalogue) -> None:
    package = make_package(title="ä" * 1_000_000)
    strange = make_package(2, title="nul\0 and \udce9 lone")
    with catalogue.write() as session:
        session.add_package(package)
        session.add_package(strange)
    with catalogue.read() as session:
        assert session.package(package.id).title == package.title
        assert session.package(strange.id).title == "nul\\x00 and \\udce9 lone"


def test_a_package_id_is_a_uuid_and_is_taken_once(catalogue: Catalogue) -> None:
    with catalogue.write() as session:
        session.add_package(make_package())
    with pytest.raises(Invalid), catalogue.write() as session:
        session.add_package(make_package(id="../../etc"))
    with pytest.raises(Conflict), catalogue.write() as session:
        session.add_package(make_package(title="another"))
    with catalogue.read() as session:
        assert session.package(make_package().id).title == "Package 1"


def test_an_exception_undoes_the_whole_transaction(catalogue: Catalogue) -> None:
    def fail_half_way() -> None:
        with catalogue.write() as session:
            session.add_package(make_package())
            session.enqueue("index", make_package().id)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    with catalogue.read() as session:
        assert session.packages() == []
        assert session.outbox("index") == []


def test_changes_touch_the_named_fields_and_notice_who_was_faster(catalogue: Catalogue) -> None:
    package = make_package()
    with catalogue.write() as session:
        session.add_package(package)
        session.update_package(package.id, title="New", access=Access(files=Openness.RESTRICTED), updated=T1)
    with catalogue.read() as session:
        changed = session.package(package.id)
    assert changed == dataclasses.replace(
        package, title="New", access=Access(files=Openness.RESTRICTED), updated=T1
    )
    with catalogue.write() as session:
        session.update_package(package.id, if_updated=T1, state=PackageState.ARCHIVED)
        assert session.package(package.id).updated > T9
    with pytest.raises(Conflict), catalogue.write() as session:
        session.update_package(package.id, if_updated=T1, title="Late")
    with pytest.raises(NotFound), catalogue.write() as session:
        session.update_package(make_package(2).id, title="Nobody")
    with pytest.raises(Internal), catalogue.write() as session:
        session.update_package(package.id, colour="red")


def test_a_reference_means_a_package_by_id_prefix_pid_or_oai_id(catalogue: Catalogue) -> None:
    one = make_package(0xABCD0001, pid="ark:99999/fk4b", oai_id="oai:archive.localhost:1")
    two = make_package(0xBBCE0002)
    with catalogue.write() as session:
        for package in (one, two):
            session.add_package(package)
        session.reserve_pid("ark:/99999/fk4b", one.id)
    with catalogue.read() as session:
        for reference in (
            one.id,
            one.id.upper(),
            "a",
            "abcd",
            " abcd0001 ",
            "ark:99999/fk4b",
            "ark:/99999/fk-4b",
        ):
            assert session.resolve(reference) == one.id, reference
        assert session.resolve("oai:archive.localhost:1") == one.id
        for reference in ("", "abcf", "%%%%", "____", "ark:99999/none", "abc\0d"):
            with pytest.raises(NotFound):
                session.resolve(reference)


def test_an_ambiguous_prefix_names_its_candidates(catalogue: Catalogue) -> None:
    several = [make_package(0xABCD0000 + number) for number in range(7)]
    with catalogue.write() as session:
        for package in several:
            session.add_package(package)
    with catalogue.read() as session, pytest.raises(Conflict) as caught:
        session.resolve("abcd")
    assert several[0].id in caught.value.message
    assert "…" in caught.value.message


def test_lists_page_by_key_and_miss_nothing_in_the_same_instant(catalogue: Catalogue) -> None:
    made = [make_package(number, created=T0 if number % 2 else T1) for number in range(1, 24)]
    with catalogue.write() as session:
        for package in made:
            session.add_package(package)
    expected = [each.id for each in sorted(made, key=lambda each: (each.created, each.id))]
    seen: list[str] = []
    after = None
    with catalogue.read() as session:
        while page := session.packages(after=after, limit=5):
            seen += [each.id for each in page]
            after = (page[-1].created, page[-1].id)
        assert [each.id for each in session.iter_packages()] == expected
    assert seen == expected


def test_lists_are_filtered_by_package_and_by_its_latest_job(catalogue: Catalogue) -> None:
    done, stuck, plain = make_package(1, state=PackageState.PUBLISHED), make_package(2), make_package(3)
    with catalogue.write() as session:
        for package in (done, stuck, plain):
            session.add_package(package)
        session.update_package(plain.id, owner="other", updated=T9)
        session.add_job(make_job(done, state=JobState.DONE, step="publish"))
        session.add_job(
            make_job(stuck, state=JobState.FAILED, step="scan", reason="clamd: 100% Unreachable_host")
        )

    def listed(**wanted: object) -> list[str]:
        with catalogue.read() as session:
            return [each.title for each in session.packages(PackageFilter(**wanted))]

    assert listed() == ["Package 1", "Package 2", "Package 3"]
    assert listed(state=PackageState.PUBLISHED) == ["Package 1"]
    assert listed(owner="other") == ["Package 3"]
    assert listed(since=T9) == ["Package 3"]
    assert listed(work=JobState.FAILED) == ["Package 2"]
    assert listed(step="publish") == ["Package 1"]
    assert listed(reason="100% unreach") == ["Package 2"]
    assert listed(reason="100%host") == []
    assert listed(reason="unreachable-host") == []
    assert listed(step="scan", owner="other") == []


def test_same_content_is_found_within_one_owner_and_among_the_living(catalogue: Catalogue) -> None:
    with catalogue.write() as session:
        for number, owner, state in (
            (1, "owner", PackageState.REJECTED),
            (2, "other", PackageState.PUBLISHED),
            (3, "owner", PackageState.SUBMITTED),
            (4, "owner", PackageState.ARCHIVED),
        ):
            session.add_package(make_package(number, owner=owner, state=state, fingerprint="same"))
        assert session.same_content("owner", "same") == make_package(3).id
        assert session.same_content("owner", "other") is None
        session.update_package(make_package(3).id, state=PackageState.CANCELLED)
        session.update_package(make_package(4).id, state=PackageState.DELETED)
    with catalogue.read() as session:
        assert session.same_content("owner", "same") is None


def test_the_newest_rejected_package_of_a_name_is_found_within_one_owner(catalogue: Catalogue) -> None:
    with catalogue.write() as session:
        for number, owner, state, name in (
            (1, "owner", PackageState.REJECTED, ODD),
            (2, "owner", PackageState.REJECTED, ODD),
            (3, "owner", PackageState.REJECTED, "another"),
            (4, "owner", PackageState.PUBLISHED, ODD),
            (5, "other", PackageState.REJECTED, ODD),
        ):
            session.add_package(make_package(number, owner=owner, state=state, source_name=name))
    with catalogue.read() as session:
        assert session.rejected_before("owner", ODD) == make_package(2).id
        assert session.rejected_before("owner", "none") is None
        assert session.rejected_before("nobody", ODD) is None


def test_events_are_recorded_once_and_in_order(catalogue: Catalogue) -> None:
    package = make_package()
    many = [make_event(f"event {number}") for number in range(40)]
    odd = make_event("odd", detail=ODD, note=ODD, paths=(ODD, "b"), step="validate", outcome="warning")
    with catalogue.write() as session:
        session.add_package(package)
        session.add_events(package.id, many)
        session.add_events(package.id, [many[3], odd])
    with catalogue.read() as session:
        assert list(session.events(package.id)) == [*many, odd]
        assert list(session.events(package.id, after=many[38].id)) == [many[39], odd]
        assert list(session.events(make_package(2).id)) == []


def test_copies_replace_what_was_known(catalogue: Catalogue) -> None:
    package, other = make_package(1), make_package(2)
    with catalogue.write() as session:
        for each in (package, other):
            session.add_package(each)
        session.set_copy(CopyRecord(package.id, "primary", 1, CopyState.PENDING))
        session.set_copy(CopyRecord(package.id, "primary", 1, CopyState.INTACT, T1))
        session.set_copy(CopyRecord(package.id, "copy", 1, CopyState.UNCHECKED))
        session.set_copy(CopyRecord(other.id, "primary", 1, CopyState.INTACT, T0, "ok"))
        session.set_copy(CopyRecord(other.id, "copy", 1, CopyState.PENDING))
    with catalogue.read() as session:
        assert [each.store for each in session.copies(package.id)] == ["copy", "primary"]
        assert session.copies(package.id)[1] == CopyRecord(package.id, "primary", 1, CopyState.INTACT, T1)
        assert len(session.copies()) == 4
        assert [each.package_id for each in session.copies(store="copy")] == [package.id, other.id]
        assert [e.store for e in session.copies(after=(package.id, "primary"))] == ["copy", "primary"]
        assert session.copies_of([other.id, "none"])["none"] == []
    with catalogue.write() as session:
        session.set_copy_state(other.id, "primary", CopyState.UNCHECKED, None, "unreachable")
        session.set_copy_state(package.id, "primary", CopyState.CORRUPT, T2, "1 file")
        with pytest.raises(NotFound):
            session.set_copy_state(package.id, "third", CopyState.INTACT, T2, "")
    with catalogue.read() as session:
        assert session.copies(other.id)[1].verified == T0
        assert session.copies(package.id)[1].state is CopyState.CORRUPT


def test_N2_an_identifier_belongs_to_one_package(catalogue: Catalogue) -> None:
    with catalogue.write() as session:
        session.add_package(make_package(1))
        session.add_package(make_package(2))
        session.reserve_pid("ark:99999/fk4b", make_package(1).id)
        session.reserve_pid("ark:99999/fk4b", make_package(1).id)
    with pytest.raises(Conflict), catalogue.write() as session:
        session.reserve_pid("ark:/99999/fk4b", make_package(2).id)
    with catalogue.write() as session:
        session.set_pid_state("ark:99999/fk4b", PidState.REGISTERED, "http://127.0.0.1/records/1")
        session.set_pid_state("ark:99999/fk4b", PidState.TOMBSTONE)
        with pytest.raises(NotFound):
            session.set_pid_state("ark:99999/none", PidState.TOMBSTONE)
    with catalogue.read() as session:
        [found] = session.pids_of(make_package(1).id)
        assert (found.state, found.target) == (PidState.TOMBSTONE, "http://127.0.0.1/records/1")
        assert session.pid("ark:99999/none") is None


def test_a_number_of_the_outbox_never_comes_again(catalogue: Catalogue) -> None:
    """Two who drain it at once both strike off what they saw; what came in between has another number."""
    with catalogue.write() as session:
        session.enqueue("index", "a")
        [seen] = session.outbox("index")
        session.outbox_done([seen.id])
    with catalogue.write() as session:
        session.enqueue("index", "b")
        session.outbox_done([seen.id])
        assert [each.package_id for each in session.outbox("index")] == ["b"]


def test_the_outbox_gives_work_until_it_is_done(catalogue: Catalogue) -> None:
    with catalogue.write() as session:
        for name in ("a", "b", "c"):
            session.enqueue("index", name)
        session.enqueue("mail", "d")
    with catalogue.write() as session:
        first, second, third = session.outbox("index")
        assert [first.package_id, second.package_id, third.package_id] == ["a", "b", "c"]
        session.outbox_done([first.id, 10**9])
        session.outbox_failed([second.id], "down\0", not_before=T9)
    with catalogue.read() as session:
        assert [each.package_id for each in session.outbox("index", now=T1)] == ["c"]
        waiting = session.outbox("index", now=T9)[0]
        assert (waiting.package_id, waiting.attempts, waiting.message) == ("b", 1, "down\\x00")
        assert len(session.outbox("index", limit=1)) == 1
        assert session.counts().outbox == {"index": 2, "mail": 1}


def test_people_tokens_and_keys(catalogue: Catalogue) -> None:
    owner = Person("p1", "Owner", frozenset({"admin", "depositor"}), T0, os_user="owner")
    token = Token("t1", "p1", "laptop", "depositor", "hash1", T0, expires=T9)
    with catalogue.write() as session:
        session.add_person(owner)
        session.add_person(dataclasses.replace(owner, name="Owner, renamed"))
        session.add_token(token)
        session.add_token(Token("t2", "p1", "laptop", "depositor", "hash2", T1))
        session.add_idempotency_key(IdempotencyKey("owner", "k", "body", "package", T0))
        with pytest.raises(Conflict):
            session.revoke_token("laptop", T1)
        with pytest.raises(NotFound):
            session.revoke_token("phone", T1)
        session.revoke_token("t2", T1)
        session.revoke_token("t2", T9)
    with catalogue.read() as session:
        assert (
            session.person("p1")
            == session.person_of_os_user("owner")
            == dataclasses.replace(owner, name="Owner, renamed")
        )
        assert session.person("p2") is None
        assert session.person_of_os_user("other") is None
        assert session.token_by_hash("hash1") == token
        assert session.token_by_hash("hash3") is None
        assert [each.revoked for each in session.tokens()] == [None, T1]
        assert session.idempotency_key("owner", "k") == IdempotencyKey("owner", "k", "body", "package", T0)
        assert session.idempotency_key("other", "k") is None
        assert owner.as_actor().is_archivist
    for add in (
        lambda session: session.add_person(dataclasses.replace(owner, id="p2")),
        lambda session: session.add_token(dataclasses.replace(token, id="t3")),
        lambda session: session.add_idempotency_key(IdempotencyKey("owner", "k", "other", "package", T0)),
    ):
        with pytest.raises(Conflict), catalogue.write() as session:
            add(session)


def test_the_archive_has_one_id(catalogue: Catalogue) -> None:
    with catalogue.write() as session:
        assert session.archive_id() is None
        session.set_archive_id("one")
        session.set_archive_id("one")
        with pytest.raises(Conflict):
            session.set_archive_id("two")
    with catalogue.read() as session:
        assert session.archive_id() == "one"


def test_the_overview_counts(catalogue: Catalogue) -> None:
    kept, coming = make_package(1, state=PackageState.ARCHIVED, files=3, bytes=30), make_package(2, files=9)
    with catalogue.write() as session:
        session.add_package(kept)
        session.add_package(coming)
        session.add_job(make_job(coming))
        session.set_copy(CopyRecord(kept.id, "primary", 1, CopyState.INTACT, T1))
        counts = session.counts()
    assert counts.packages == {"archived": 1, "submitted": 1}
    assert (counts.jobs, counts.copies, counts.files, counts.bytes) == ({"queued": 1}, {"intact": 1}, 3, 30)


def test_a_rebuild_keeps_what_only_the_database_knows(catalogue: Catalogue) -> None:
    kept = make_package(1, state=PackageState.PUBLISHED, pid="ark:99999/fk4b")
    rejected, coming = make_package(2, state=PackageState.REJECTED), make_package(3)
    with catalogue.write() as session:
        session.set_archive_id("archive")
        session.add_person(Person("p1", "Owner", frozenset({"admin"}), T0))
        for package in (kept, rejected, coming):
            session.add_package(package)
            session.add_events(package.id, [make_event(package.title)])
            session.enqueue("index", package.id)
        session.add_job(make_job(kept, state=JobState.DONE))
        session.add_job(make_job(coming))
        session.publish_version(make_version(kept))
        session.set_copy(CopyRecord(kept.id, "primary", 1, CopyState.INTACT, T1))
        session.reserve_pid("ark:99999/fk4b", kept.id)
        session.clear_for_rebuild()
    with catalogue.write() as session:
        assert [each.id for each in session.packages()] == [rejected.id, coming.id]
        assert session.pid("ark:99999/fk4b") is None
        assert session.copies() == session.versions(kept.id) == list(session.events(kept.id)) == []
        assert len(list(session.events(rejected.id))) == len(session.outbox("index")) - 1 == 1
        assert session.person("p1") is not None
        assert session.archive_id() == "archive"
        session.put_package(kept)
        session.put_package(dataclasses.replace(kept, title="again"))
        session.publish_version(make_version(kept))
    with catalogue.read() as session:
        assert session.package(kept.id).title == "again"
        latest = session.latest_job(kept.id)
        assert latest is not None
        assert latest.state is JobState.DONE
