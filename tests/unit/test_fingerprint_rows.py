"""The fingerprint as a stranger would compute it: what two releases and two machines must agree on."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packages.model import FileEntry
from packages.submission import Shape
from services.ingest.steps.fingerprint import fingerprint
from storage.staging import Staging

NAME = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
DIGEST = st.binary(min_size=64, max_size=64)


@given(
    files=st.dictionaries(NAME, st.tuples(st.integers(0, 1 << 40), DIGEST), max_size=6), folders=st.sets(NAME)
)
def test_it_is_the_digest_of_sorted_lines(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, tuple[int, bytes]], folders: set[str]
) -> None:
    workspace = Staging(tmp_path_factory.getbasetemp() / "staging").workspace("job")
    rows = (FileEntry(path, "", size, digest.hex(), 0) for path, (size, digest) in files.items())
    workspace.write_sheet("received", rows)
    workspace.write_json("directories", sorted(folders))
    lines = [f"data\0{path}\0{size}\0{digest.hex()}\n" for path, (size, digest) in files.items()]
    lines += [f"folder\0{each}\n" for each in folders]
    record = json.dumps({"title": "T"}, separators=(",", ":"))
    expected = hashlib.sha512("".join([*sorted(lines), record]).encode()).hexdigest()
    assert fingerprint(workspace, Shape("plain", "", ()), {"title": "T"}, ()) == expected
