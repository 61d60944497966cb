"""P4: an object of very many versions costs what its inventory weighs, and a version next to nothing."""

import io
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import pytest

from packages.errors import Invalid
from packages.ocfl import reading
from packages.ocfl.compact import compacted
from packages.ocfl.inventory import Inventory, first_version, next_version, read
from packages.ocfl.pool import Pool

MADE = {"created": "2026-01-02T03:04:05Z", "message": "m", "user_name": "Archivist"}
FILES = 30
BUFFERS = 2 << 20  # of the parser, whatever the size


def digest(number: int) -> str:
    return f"{number:0128x}"


def history(versions: int, files: int = FILES) -> Inventory:
    """Return an object of so many files, one of which is another one in each version."""
    names = [(f"data/original/{number}", digest(number)) for number in range(files)]
    found = first_version("urn:x", [(name, each, f"v1/content/{name}") for name, each in names], **MADE)
    for number in range(2, versions + 1):
        new = digest(FILES + number)
        state = compacted(found.state).changed(put=[("data/original/0", new)])
        found = next_version(found, state, [(new, f"v{number}/content/data/original/0")], **MADE)
    return found


def written(inventory: Inventory) -> bytes:
    stream = io.BytesIO()
    inventory.write(stream)
    return stream.getvalue()


def test_P4_many_versions_are_what_they_were() -> None:
    found = history(200)
    data = written(found)
    again = read(io.BytesIO(data))
    assert again.head == 200
    assert written(again) == data
    assert again.locate("data/original/0") == ("v200/content/data/original/0", digest(FILES + 200))
    assert again.locate("data/original/0", 1) == ("v1/content/data/original/0", digest(0))
    assert list(again.content(50)) == [("v50/content/data/original/0", digest(FILES + 50))]
    assert len(list(again.files(77))) == FILES


def test_P4_what_is_read_takes_less_than_its_file_and_versions_share_what_they_have_in_common(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "AT_ONCE", 1000)  # as if it were long
    data = written(history(100))
    tracemalloc.start()
    found = read(io.BytesIO(data))
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.head == 100
    assert kept < len(data) / 2
    assert peak < len(data) / 2 + BUFFERS


def test_P4_reading_twice_as_many_versions_looks_at_twice_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = 0

    def digest_of(pool: Pool, row: int, real: Callable[[Pool, int], bytes] = Pool.digest) -> bytes:
        nonlocal looked_at
        looked_at += 1
        return real(pool, row)

    some, more = written(history(100, files=2)), written(history(200, files=2))
    monkeypatch.setattr(Pool, "digest", digest_of)
    read(io.BytesIO(some))
    of_some, looked_at = looked_at, 0
    read(io.BytesIO(more))
    assert looked_at < 3 * of_some  # a walk through the manifest for each version would make it four times


def test_P4_a_state_of_few_files_may_name_nothing_that_a_long_manifest_lacks() -> None:
    data = written(history(100, files=2))
    last = digest(2 + 100).encode()
    with pytest.raises(Invalid, match="the manifest lacks"):
        read(io.BytesIO(data.replace(last, digest(7).encode(), 1)))


def test_P4_an_older_inventory_is_held_together_with_the_newest() -> None:
    older, newest = written(history(9)), read(io.BytesIO(written(history(10))))
    rows = len(compacted(newest.manifest).pool) + len(compacted(newest.state).pool)
    found = read(io.BytesIO(older), newest)
    assert written(found) == older
    assert len(compacted(found.manifest).pool) + len(compacted(found.state).pool) == rows


def test_P4_an_older_inventory_that_says_something_else_keeps_it_beside_the_newest() -> None:
    newest = read(io.BytesIO(written(history(5))))
    changed = written(history(4)).replace(b'"data/original/7"', b'"data/original/77"')
    found = read(io.BytesIO(changed), newest)
    assert written(found) == changed
    assert written(newest) == written(history(5))


def test_the_digest_is_that_of_what_is_written_also_after_a_change() -> None:
    found = history(2)
    before = found.digest()
    assert found.digest() == before == found.write()
    assert replace(found, object_id="urn:y").digest() != before
