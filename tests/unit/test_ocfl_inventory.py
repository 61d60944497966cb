import io
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packages.errors import Invalid
from packages.ocfl import layout
from packages.ocfl.inventory import (
    Inventory,
    dump,
    first_version,
    next_version,
    parse,
    parse_sidecar,
    sidecar,
)

MADE = {"created": "2026-01-02T03:04:05Z", "message": "m", "user_name": "Archivist"}
SEGMENT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/"), min_size=1, max_size=8
).filter(lambda text: text not in {".", ".."})
LOGICAL = st.lists(SEGMENT, min_size=1, max_size=4).map("/".join)
DIGEST = st.integers(0, 6).map(lambda number: f"{number:0128x}")


def inventory() -> Inventory:
    files = [
        ("a", "0" * 128, "v1/content/a"),
        ("b", "0" * 128, "v1/content/b"),
        ("c", "1" * 128, "v1/content/c"),
    ]
    return first_version("urn:x", files, **MADE)


@st.composite
def histories(draw: st.DrawFn) -> Inventory:
    names = draw(st.dictionaries(LOGICAL, DIGEST, max_size=8))
    files = [
        (name, digest, f"v1/content/f{position}") for position, (name, digest) in enumerate(names.items())
    ]
    found = first_version(draw(st.text(st.characters(exclude_categories=["Cs"]), min_size=1)), files, **MADE)
    for _ in range(draw(st.integers(0, 3))):
        state: dict[str, tuple[str, ...]] = {}
        for name, digest in draw(st.dictionaries(LOGICAL, DIGEST, max_size=6)).items():
            state[digest] = (*state.get(digest, ()), name)
        new = [d for d in state if d not in found.manifest]
        added = [(d, f"v{found.head + 1}/content/g{position}") for position, d in enumerate(new)]
        found = next_version(
            found, state, added, created="2026-01-03T00:00:00Z", message="é\n", user_name="B"
        )
    return found


def canonical(found: Inventory) -> object:
    return (
        found.object_id,
        found.head,
        {digest: sorted(paths) for digest, paths in found.manifest.items()},
        {
            number: (
                v.created,
                v.message,
                v.user_name,
                v.user_address,
                {d: sorted(p) for d, p in v.state.items()},
            )
            for number, v in found.versions.items()
        },
    )


@given(histories())
def test_what_is_dumped_is_parsed_back_and_dumped_the_same(found: Inventory) -> None:
    data = dump(found)
    again = parse(data)
    assert canonical(again) == canonical(found)
    assert dump(again) == data
    assert json.loads(data)["head"] == f"v{found.head}"


def test_write_fills_every_stream_and_returns_the_digest() -> None:
    first, second = io.BytesIO(), io.BytesIO()
    digest = inventory().write(first, second)
    assert first.getvalue() == second.getvalue() == dump(inventory())
    assert parse_sidecar(sidecar(digest)) == digest == inventory().digest()


def test_many_files_cross_the_chunk_boundary() -> None:
    files = [(f"n{i}", f"{i:0128x}", f"v1/content/n{i}") for i in range(4_500)]
    found = first_version("urn:many", files, **MADE)
    assert canonical(parse(dump(found))) == canonical(found)


def test_A13_B7_duplicates_share_a_digest_and_keep_both_names() -> None:
    again = parse(dump(inventory()))
    assert again.state["0" * 128] == ("a", "b")
    assert again.manifest["0" * 128] == ("v1/content/a", "v1/content/b")
    assert again.locate("c") == ("v1/content/c", "1" * 128)
    assert again.locate("d") is None
    assert min(again.files()) == ("a", "0" * 128, "v1/content/a")


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.pop("id"),
        lambda raw: raw.update(id=""),
        lambda raw: raw.update(type="https://ocfl.io/9.9/spec/#inventory"),
        lambda raw: raw.update(digestAlgorithm="md5"),
        lambda raw: raw.update(contentDirectory="elsewhere"),
        lambda raw: raw.update(head="v2"),
        lambda raw: raw.update(head="v01"),
        lambda raw: raw["versions"].update(v3=raw["versions"]["v1"]),
        lambda raw: raw["manifest"].pop("1" * 128),
        lambda raw: raw["manifest"].update({"1" * 128: ["v1/content/../../../etc/passwd"]}),
        lambda raw: raw["manifest"].update({"1" * 128: ["/etc/passwd"]}),
        lambda raw: raw["manifest"].update({"1" * 128: ["v7/content/x"]}),
        lambda raw: raw["manifest"].update({"1" * 128: ["v1/other/x"]}),
        lambda raw: raw["manifest"].update({"1" * 128: []}),
        lambda raw: raw["manifest"].update({"xyz": ["v1/content/x"]}),
        lambda raw: raw["manifest"].update({"1" * 128: ["v1/content/a"]}),
        lambda raw: raw["versions"]["v1"]["state"].update({"1" * 128: ["../x"]}),
        lambda raw: raw["versions"]["v1"].pop("state"),
        lambda raw: raw.update(manifest=[]),
    ],
)
def test_a_bad_inventory_is_refused(change) -> None:
    raw = json.loads(dump(inventory()))
    change(raw)
    with pytest.raises(Invalid):
        parse(json.dumps(raw).encode())


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"{}"])
def test_what_is_no_inventory_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        parse(data)


@pytest.mark.parametrize("data", [b"", b"0" * 127 + b" inventory.json\n", b"0" * 128 + b" other.json\n"])
def test_a_bad_sidecar_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        parse_sidecar(data)


def test_a_state_that_names_absent_content_is_refused() -> None:
    with pytest.raises(Invalid):
        next_version(inventory(), {"f" * 128: ("x",)}, [], **MADE)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_the_layout_leads_from_id_to_folder_and_back(object_id: str) -> None:
    path = layout.object_path(object_id)
    assert len(path.split("/")) == layout.DEPTH + 1
    assert layout.object_id(path) in {object_id, None}
    if len(quote(object_id, safe="")) <= layout.LONGEST // 2:
        assert layout.object_id(path) == object_id


def test_the_layout_is_that_of_extension_0003() -> None:
    # The examples of the extension's own text, in its default configuration.
    assert layout.object_path("object-01") == "3c0/ff4/240/object-01"
    assert layout.object_path("..hor/rib:le-$id") == "487/326/d8c/%2e%2ehor%2frib%3ale-%24id"
