"""What only a search index on a server can meet: no server, a wiped one, neighbours, races, refusals."""

import socketserver
import ssl
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from packages import analysis
from packages.access import EVERYTHING
from packages.errors import Conflict, Invalid, Refused, Unavailable
from packages.query import mapping, parse
from schemas import load
from storage.search import open_search_index
from storage.search.entries import entry_of
from storage.search.errors import LostIndex
from tests.support.search_documents import document, ids

SECRET = "s3cr3t/wörd€"
server = pytest.mark.server


@pytest.fixture
def index(opensearch, tmp_path):
    opened = open_search_index(opensearch.url, tmp_path)
    yield opened
    opened.close()


@contextmanager
def answering(handler, context=None):
    """Run a server on loopback that answers by `handler`, under TLS where a context is given."""
    listening = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if context is not None:
        listening.socket = context.wrap_socket(listening.socket, server_side=True)
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield listening.server_address[1]
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


class Refusing(BaseHTTPRequestHandler):
    """Knows nobody, and remembers who came."""

    seen: list = []  # noqa: RUF012  # of one test

    def do_GET(self):
        self.seen.append(self.headers["Authorization"])
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_said):
        """Say nothing."""


def told_by(index):
    """Return what each way of using the index is answered, each of the same kind."""
    told = []
    for use in (
        lambda: index.search(parse(""), EVERYTHING),
        lambda: index.put([document()]),
        lambda: index.remove({"p1": "1"}),
        lambda: index.rebuild([document()]),
        index.count,
    ):
        with pytest.raises(Unavailable) as caught:
            use()
        told.append(caught.value.told)
    assert index.check() == [told[0]]
    return told


def test_the_mapping_has_the_text_fields_of_the_query_language():
    properties = load("search-opensearch.json")["mappings"]["properties"]
    assert set(properties["text"]["properties"]) == set(mapping()["text"])
    assert {*properties["facets"]["properties"], "year"} == set(mapping()["facets"])


@pytest.mark.parametrize(
    "url",
    [
        "opensearch://127.0.0.1:9200",
        "opensearch://127.0.0.1:9200/Upper",
        "opensearch://127.0.0.1:9200/a/b",
        "opensearch://127.0.0.1:nine/x",
        "opensearch:///x",
        "opensearch://[::1/x",
        "opensearch://127.0.0.1:9200/*",
        "opensearch://127.0.0.1:9200/x?pretty",
    ],
)
def test_an_address_that_is_none_is_refused_with_the_form_of_one(url, tmp_path):
    with pytest.raises(Refused) as caught:
        open_search_index(url, tmp_path)
    assert "opensearch://HOST:PORT/PREFIX" in caught.value.hint


def test_L1_a_server_that_is_not_there_is_named_without_the_password(tmp_path):
    with socketserver.TCPServer(("127.0.0.1", 0), Refusing) as listening:
        port = listening.server_address[1]
    index = open_search_index(f"opensearch://me:{SECRET.replace('/', '%2F')}@127.0.0.1:{port}/x", tmp_path)
    told = told_by(index)
    assert all(f"opensearch://127.0.0.1:{port} cannot be reached" in each for each in told)
    assert SECRET not in "".join(told)


def test_a_user_who_is_not_known_is_told_so(tmp_path):
    with answering(Refusing) as port:
        index = open_search_index(
            f"opensearch://me:{SECRET.replace('/', '%2F')}@127.0.0.1:{port}/x", tmp_path
        )
        with pytest.raises(Unavailable, match="user or password"):
            index.search(parse(""), EVERYTHING)
        index.close()
    assert Refusing.seen == ["Basic bWU6czNjcjN0L3fDtnJk4oKs"]


def test_several_who_ask_at_once_keep_their_connections(tmp_path, caplog):
    together = threading.Barrier(3)

    class Waiting(Refusing):
        seen: list = []  # noqa: RUF012  # of one test

        def do_GET(self):
            together.wait(30)
            super().do_GET()

    def ask(_number):
        with pytest.raises(Unavailable, match="user or password"):
            index.count()

    with answering(Waiting) as port, ThreadPoolExecutor(3) as pool:
        index = open_search_index(f"opensearch://127.0.0.1:{port}/x", tmp_path)
        list(pool.map(ask, range(3)))
        index.close()
    assert [each.message for each in caplog.records] == []


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path):
    made = ("-keyout", tmp_path / "key", "-out", tmp_path / "certificate", "-subj", "/CN=localhost")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *made], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    with answering(Refusing, context) as port:
        index = open_search_index(f"opensearch+https://127.0.0.1:{port}/x", tmp_path)
        with pytest.raises(Unavailable, match="certificate that is not trusted"):
            index.count()
        index.close()


def test_a_server_without_tls_is_told_from_one_that_is_not_trusted(tmp_path):
    with answering(Refusing) as port:
        index = open_search_index(f"opensearch+https://127.0.0.1:{port}/x", tmp_path)
        with pytest.raises(Unavailable, match="does not speak TLS") as caught:
            index.count()
        index.close()
    assert "begins with opensearch://" in caught.value.hint


@server
def test_L2_what_is_larger_than_the_server_takes_is_trimmed_and_found(index):
    names = [f"{n:04d}" + "x" * 700 for n in range(7_000)]  # more than the 4 MiB of scripts/services
    report = index.put([document("large", title="Whale", filenames=names), document("small", title="Shrimp")])
    assert (report.stored, report.rejected) == (2, ())
    assert sorted(ids(index, "whale OR shrimp")) == ["large", "small"]
    (hit,) = index.search(parse("id:large"), EVERYTHING).hits
    assert hit.document["trimmed"]
    report = index.put([document("huge", title="x" * 5_000_000), document("small", title="Shrimp")])
    assert report.stored == 1
    assert [name for name, reason in report.rejected if "size" in reason] == ["huge"]


@server
def test_L3_what_the_server_refuses_is_reported_and_the_rest_is_there(index):
    report = index.put([document("good"), document("x" * 600), document("better")])
    assert report.stored == 2
    [(name, reason)] = report.rejected
    assert (name, "does not take" in reason) == ("x" * 600, True)
    assert sorted(ids(index, "")) == ["better", "good"]


@server
def test_L5_a_wiped_server_is_noticed_and_filled_anew(opensearch, tmp_path):
    from storage.search.opensearch_server import SearchServer  # not by each worker that collects tests
    from storage.search.opensearch_writing import store

    index = open_search_index(opensearch.url, tmp_path, may_begin=lambda: False)
    index.rebuild([document()])
    assert ids(index, "title") == ["p1"]
    for name in opensearch.indices():
        opensearch.drop(name)
    for use in (lambda: index.search(parse(""), EVERYTHING), lambda: index.put([document()]), index.count):
        with pytest.raises(Unavailable) as caught:
            use()
        assert "rebuild --index" in caught.value.hint
    with pytest.raises(LostIndex):  # wiped just after it was looked for
        store(SearchServer(opensearch.url), opensearch.prefix, [entry_of(document())], refresh=True)
    assert not opensearch.client.indices.exists(index=opensearch.prefix)
    assert opensearch.indices() == []  # an empty one would pass for the whole
    open_search_index(opensearch.url, tmp_path).rebuild([document("p2")])
    assert ids(index, "title") == ["p2"]


@server
def test_L7_the_newest_wins_whoever_writes_at_once(index):
    index.count()  # makes the index

    def put(first):
        for n in range(first, 20, 4):
            index.put([document(revision=f"{n:02d}", title=f"number{n}")])

    threads = [threading.Thread(target=put, args=(first,)) for first in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [hit.document["revision"] for hit in index.search(parse("id:p1"), EVERYTHING).hits] == ["19"]


@server
def test_of_two_rebuilds_that_begin_at_once_the_first_is_overtaken(index, opensearch, tmp_path, monkeypatch):
    from storage.search.opensearch_generations import Generations  # not by each worker that collects tests

    create = Generations._create

    def meanwhile(*given):
        create(*given)
        monkeypatch.setattr(Generations, "_create", create)
        open_search_index(opensearch.url, tmp_path).rebuild([document()])

    monkeypatch.setattr(Generations, "_create", meanwhile)
    with pytest.raises(Conflict, match="taken over"):
        index.rebuild([document("p2")])
    assert ids(index, "title") == ["p1"]


@server
def test_what_is_written_as_a_rebuild_changes_over_is_written_once_more(index, monkeypatch):
    from storage.search import opensearch_writing as writing  # not by each worker that collects tests

    settle = writing._settle

    def lost_once(*_given, **_options):
        monkeypatch.setattr(writing, "_settle", settle)
        raise LostIndex("deleted just now")

    for use in (lambda: index.put([document(), document("p2")]), lambda: index.remove({"p1": "9"})):
        monkeypatch.setattr(writing, "_settle", lost_once)
        use()
    assert ids(index, "title") == ["p2"]


@server
def test_another_version_of_the_analysis_asks_for_a_rebuild(index, monkeypatch):
    index.put([document()])
    monkeypatch.setattr(analysis, "VERSION", analysis.VERSION + 1)
    with pytest.raises(Unavailable, match="another version"):
        index.put([document()])
    index.rebuild([document()])
    assert ids(index, "title") == ["p1"]
    monkeypatch.undo()
    index.rebuild([])


@server
def test_what_others_keep_on_the_server_is_never_touched(opensearch, tmp_path):
    neighbour, within = f"{opensearch.prefix}-more.first", f"{opensearch.prefix}.2026"
    taken, called = f"{opensearch.prefix}x", f"{opensearch.prefix}y.2026"
    names = {neighbour: {}, within: {}, taken: {}, called: {f"{opensearch.prefix}y": {}}}
    for name, aliases in names.items():
        opensearch.client.indices.create(index=name, body={"aliases": aliases})
    try:
        index = open_search_index(opensearch.url, tmp_path)
        index.rebuild([document()])
        index.rebuild([document()])
        for end in ("x", "y"):
            other = open_search_index(opensearch.url + end, tmp_path)
            for use in (other.count, lambda other=other: other.rebuild([document()])):
                with pytest.raises(Refused, match="not ours"):
                    use()
        assert opensearch.indices(f"{taken}.*") == []
        for name in names:
            assert opensearch.client.indices.exists(index=name), name
    finally:
        for name in (*names, *opensearch.indices(f"{taken}.*")):
            opensearch.drop(name)


@server
def test_an_index_that_takes_nothing_more_is_said_by_the_check(index, opensearch):
    index.put([document()])
    blocked = {"index.blocks.read_only_allow_delete": True}  # what a full disk leads to
    opensearch.client.indices.put_settings(index=opensearch.prefix, body=blocked)
    try:
        with pytest.raises(Unavailable):
            index.put([document(revision="00000002")])
        assert "closed to writing" in "".join(index.check())
    finally:
        opened = dict.fromkeys(blocked, "false")
        opensearch.client.indices.put_settings(index=opensearch.prefix, body=opened)
    assert index.check() == []


@server
def test_the_check_is_of_the_index_that_somebody_else_has_rebuilt(index, opensearch, tmp_path):
    index.put([document()])
    assert index.check() == []
    open_search_index(opensearch.url, tmp_path).rebuild([document()])
    assert index.check() == []


@server
@pytest.mark.parametrize(
    "text",
    [
        " ".join(f"w{n}-abcs*" for n in range(100)),
        "-(a OR " * 9 + "b" + ")" * 9,
        " OR ".join(f'"a b {n}"' for n in range(100)),
        "海" * 1_900,
    ],
)
def test_the_largest_queries_are_answered(index, text):
    index.search(parse(text), EVERYTHING)


@server
def test_a_phrase_that_goes_on_finds_all_ways_in_which_it_does(index):
    index.put([document(filenames=[f"e-m{n:05d}" for n in range(2_000)]), document("p2", title="e-mail")])
    assert sorted(ids(index, "e-m*")) == ["p1", "p2"]
    with pytest.raises(Invalid):  # a thousand conditions and more
        index.search(parse("海" * 1_900 + "*"), EVERYTHING)
