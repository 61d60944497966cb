"""Validating bags: everything that is wrong at once, each with its path and what to do."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from packages.bagit.report import BagReport
from packages.bagit.validate import validate_bag
from packages.findings import has_errors
from packages.submission import interpret
from tests.support.folders import FolderSubmission

PAYLOAD = {"data/a.txt": b"alpha", "data/sub/b.txt": b"beta"}
DECLARATION = "BagIt-Version: {version}\nTag-File-Character-Encoding: {encoding}\n"


def lines(files: Mapping[str, bytes], algorithm: str) -> str:
    return "".join(f"{hashlib.new(algorithm, data).hexdigest()}  {name}\n" for name, data in files.items())


def make_bag(
    root: Path,
    *,
    payload: Mapping[str, bytes] = PAYLOAD,
    version: str = "1.0",
    encoding: str = "UTF-8",
    algorithms: tuple[str, ...] = ("sha512",),
    info: str = "Payload-Oxum: 9.2\n",
    extra: Mapping[str, bytes] | None = None,
) -> Path:
    """Make a valid bag (with what `extra` puts over it) without our own writer."""
    files = dict(payload)
    files["bagit.txt"] = DECLARATION.format(version=version, encoding=encoding).encode()
    files["bag-info.txt"] = info.encode(encoding)
    for algorithm in algorithms:
        files[f"manifest-{algorithm}.txt"] = lines(payload, algorithm).encode(encoding)
    files.update(extra or {})
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def check(root: Path, *, digests_known: bool = False) -> BagReport:
    submission = FolderSubmission(root)
    return validate_bag(submission, interpret(submission).root, digests_known=digests_known)


def codes(report: BagReport) -> list[str]:
    return [each.code for each in report.findings]


def test_a_valid_bag_is_valid_and_reported(tmp_path: Path) -> None:
    tagged = {"metadata/record.json": b"{}"}
    extra = {**tagged, "tagmanifest-sha256.txt": lines(tagged, "sha256").encode()}
    report = check(make_bag(tmp_path, algorithms=("sha512", "md5"), extra=extra))
    assert report.findings == ()
    assert report.is_valid
    assert (report.version, report.encoding, report.algorithms) == ("1.0", "UTF-8", ("md5", "sha512"))
    assert report.info == (("Payload-Oxum", "9.2"),)
    assert (report.payload_files, report.payload_bytes) == (2, 9)
    assert report.declared["data/a.txt"] == {
        "md5": hashlib.md5(b"alpha").hexdigest(),
        "sha512": hashlib.sha512(b"alpha").hexdigest(),
    }
    assert set(report.declared) == {*PAYLOAD, *tagged}
    assert len(report.declared) == 3
    with pytest.raises(KeyError):
        report.declared["data/none"]


def test_a_bag_one_level_down_has_its_paths_from_the_top(tmp_path: Path) -> None:
    make_bag(tmp_path / "top", extra={"data/more.txt": b""})
    report = check(tmp_path)
    assert [each.path for each in report.findings if each.code == "bag.payload-not-listed"] == [
        "top/data/more.txt"
    ]
    assert "top/data/a.txt" in report.declared


def test_C2_all_errors_at_once_each_with_path_and_hint(tmp_path: Path) -> None:
    manifest = lines({**PAYLOAD, "data/gone.txt": b"x"}, "sha512") + "rubbish\n"
    extra = {
        "data/a.txt": b"ALPHA",
        "data/extra.txt": b"",
        "manifest-sha512.txt": manifest.encode(),
        "bagit.txt": b"\xef\xbb\xbfBagIt-Version: 1.0\n",
        "bag-info.txt": b"no colon\n",
        "tagmanifest-sha512.txt": lines({"bag-info.txt": b"other", "lost.txt": b""}, "sha512").encode(),
    }
    report = check(make_bag(tmp_path, extra=extra))
    assert {(each.code, each.path) for each in report.findings} == {
        ("bag.declaration-bom", "bagit.txt"),
        ("bag.encoding-missing", "bagit.txt"),
        ("bag.info-line", "bag-info.txt"),
        ("bag.manifest-line", "manifest-sha512.txt"),
        ("bag.payload-missing", "data/gone.txt"),
        ("bag.payload-not-listed", "data/extra.txt"),
        ("bag.payload-corrupt", "data/a.txt"),
        ("bag.tag-missing", "lost.txt"),
        ("bag.tag-corrupt", "bag-info.txt"),
    }
    assert all(each.hint and each.message for each in report.findings)
    assert not report.is_valid


def test_C3_nothing_outside_is_touched(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_bytes(b"s")
    listed = lines(
        {"../secret.txt": b"s", "data/../../secret.txt": b"s", str(secret): b"s", "~/x": b""}, "sha512"
    )
    fetch = b"https://example.org/x - ../secret.txt\nhttps://example.org/x 1 /etc/passwd\n"
    manifest = (lines(PAYLOAD, "sha512") + listed).encode()
    bag = make_bag(tmp_path / "bag", extra={"manifest-sha512.txt": manifest, "fetch.txt": fetch})
    report = check(bag)
    assert codes(report) == ["bag.path-outside"] * 6
    assert "secret.txt" in report.findings[0].message


def test_C4_a_holey_bag_is_refused_and_nothing_fetched(tmp_path: Path) -> None:
    manifest = lines({**PAYLOAD, "data/far.txt": b"x"}, "sha512").encode()
    fetch = b"http://127.0.0.1:9/far 1 data/far.txt\nnonsense\nhttp://127.0.0.1:9/z - data/unlisted.txt\n"
    report = check(make_bag(tmp_path, info="", extra={"manifest-sha512.txt": manifest, "fetch.txt": fetch}))
    assert sorted((each.code, each.path) for each in report.findings) == [
        ("bag.fetch-line", "fetch.txt"),
        ("bag.fetch-needed", "data/far.txt"),
        ("bag.fetch-not-listed", "data/unlisted.txt"),
    ]


def test_C4_a_complete_bag_with_fetch_is_only_warned_of(tmp_path: Path) -> None:
    report = check(make_bag(tmp_path, extra={"fetch.txt": b"http://127.0.0.1:9/a 5 data/a.txt\r\n"}))
    assert report.is_valid
    assert codes(report) == ["bag.fetch-not-needed"]


def test_fetch_writes_names_as_manifests_do(tmp_path: Path) -> None:
    payload = {"data/a\nb": b"x", "data/100%": b"y"}
    text = lines(payload, "sha512").replace("%", "%25").replace("a\nb", "a%0Ab")
    fetch = b"http://127.0.0.1:9/a - data/a%0Ab\nhttp://127.0.0.1:9/b - data/100%25\n"
    extra = {"manifest-sha512.txt": text.encode(), "fetch.txt": fetch}
    assert codes(check(make_bag(tmp_path, payload=payload, info="", extra=extra))) == ["bag.fetch-not-needed"]


def test_only_what_is_in_data_is_payload(tmp_path: Path) -> None:
    tags = {"database.txt": b"tag", "data.txt": b"tag"}
    report = check(make_bag(tmp_path, extra=tags))
    assert report.findings == ()
    assert report.payload_files == 2
    manifest = lines({**PAYLOAD, **tags}, "sha512").encode()
    report = check(make_bag(tmp_path, extra={"manifest-sha512.txt": manifest}))
    assert codes(report) == ["bag.path-outside"] * 2


def upper(text: str) -> str:
    return "".join(f"{line.split()[0].upper()}  {line.split()[1]}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("  ", " *"),
        lambda text: text.replace("  ", "\t"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text + "\n\n  \n",
        lambda text: text.replace("  ", "  ./"),
        upper,
    ],
    ids=["star", "tab", "crlf", "cr", "blank", "dot", "upper"],
)
def test_C5_manifests_as_others_write_them(tmp_path: Path, change: Callable[[str], str]) -> None:
    manifest = change(lines(PAYLOAD, "sha512")).encode()
    assert check(make_bag(tmp_path / "good", extra={"manifest-sha512.txt": manifest})).is_valid
    bad = check(make_bag(tmp_path / "bad", extra={"manifest-sha512.txt": manifest, "data/a.txt": b"alphA"}))
    assert codes(bad)[-1] == "bag.payload-corrupt"


@pytest.mark.parametrize(("mark", "code"), [("*", "bag.manifest-star"), ("./", "bag.manifest-dot")])
def test_C5_an_oddity_of_a_manifest_is_named_once(tmp_path: Path, mark: str, code: str) -> None:
    manifest = lines(PAYLOAD, "sha512").replace("  ", f"  {mark}").encode()
    report = check(make_bag(tmp_path, extra={"manifest-sha512.txt": manifest}))
    assert [(each.code, each.path) for each in report.findings] == [(code, "manifest-sha512.txt")]


@pytest.mark.parametrize(
    ("name", "data"), [("bag-info.txt", b"A: \xe9\n"), ("manifest-sha512.txt", b"\xe9 x\n")]
)
def test_C2_text_in_another_encoding_is_named(tmp_path: Path, name: str, data: bytes) -> None:
    report = check(make_bag(tmp_path, extra={name: data}))
    found = {each.code: each for each in report.findings}["bag.tag-unreadable"]
    assert found.path == name
    assert "utf-8" in found.message
    assert not report.is_valid


def test_A3_one_file_listed_in_two_cases_is_a_warning(tmp_path: Path) -> None:
    manifest = lines({"data/x": b"1", "data/X": b"1"}, "sha512").encode()
    extra = {"manifest-sha512.txt": manifest}
    report = check(make_bag(tmp_path, payload={"data/x": b"1"}, info="", extra=extra))
    assert report.is_valid
    assert [(each.code, each.path) for each in report.findings] == [("bag.name-alias", "data/X")]


@pytest.mark.parametrize("manifest", [b"", b"\n\n", b"nothing here\n", b"\xff\xff\n"])
def test_C5_never_valid_because_nothing_was_parsed(tmp_path: Path, manifest: bytes) -> None:
    report = check(make_bag(tmp_path, extra={"manifest-sha512.txt": manifest}))
    assert not report.is_valid
    assert not report.is_checked
    assert "bag.manifest-empty" in codes(report)


def test_C5_an_unknown_algorithm_alone_checks_nothing(tmp_path: Path) -> None:
    report = check(make_bag(tmp_path, algorithms=(), extra={"manifest-crc32.txt": b"00000000  data/a.txt\n"}))
    assert codes(report)[:2] == ["bag.algorithm-unknown", "bag.manifest-missing"]
    assert not report.is_valid


class Unhashable(FolderSubmission):
    def digest(self, path: str, algorithm: str) -> str:
        if path.startswith("data/"):
            raise AssertionError(f"{path} was read")
        return super().digest(path, algorithm)


def test_C6_a_wrong_oxum_is_found_before_hashing(tmp_path: Path) -> None:
    bag = make_bag(tmp_path, info="Payload-Oxum: 10.2\n", extra={"data/a.txt": b"alpHa"})
    report = validate_bag(Unhashable(bag))
    assert [(each.code, each.path) for each in report.findings] == [("bag.oxum-mismatch", "bag-info.txt")]
    assert not report.is_checked
    assert "9 bytes in 2 files" in report.findings[0].message
    assert codes(check(bag, digests_known=True)) == ["bag.oxum-mismatch", "bag.payload-corrupt"]


def test_a_malformed_oxum_is_an_error(tmp_path: Path) -> None:
    assert codes(check(make_bag(tmp_path, info="Payload-Oxum: many\n"))) == ["bag.oxum-malformed"]


def test_C7_weak_digests_are_a_warning(tmp_path: Path) -> None:
    report = check(make_bag(tmp_path, algorithms=("md5", "sha1")))
    assert report.is_valid
    assert codes(report) == ["bag.digests-weak"]


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-16", "UTF-8", "windows-1252"])
def test_C1_encodings_of_tag_files(tmp_path: Path, encoding: str) -> None:
    report = check(
        make_bag(tmp_path, payload={"data/é.txt": b"x"}, encoding=encoding, info="Contact-Name: Zoë\n")
    )
    assert report.findings == ()
    assert report.info == (("Contact-Name", "Zoë"),)


@pytest.mark.parametrize(
    "name", ["a\nb", "a\rb", "100%", "%0A", "%25", "tab\there", " a ", "a\u2028b", "-*?|#'\"`"]
)
def test_A5_A6_odd_names_are_checked(tmp_path: Path, name: str) -> None:
    path = f"data/{name}"
    written = path.replace("%", "%25").replace("\n", "%0A").replace("\r", "%0D")
    manifest = f"{hashlib.sha512(b'x').hexdigest()}  {written}\n".encode()
    bag = make_bag(tmp_path, payload={path: b"x"}, info="", extra={"manifest-sha512.txt": manifest})
    assert check(bag).findings == ()
    assert path in check(bag).declared
    (tmp_path / path).write_bytes(b"y")
    assert [(each.code, each.path) for each in check(bag).findings] == [("bag.payload-corrupt", path)]


@pytest.mark.parametrize(("version", "warned"), [("0.97", []), ("1.0", ["bag.path-not-encoded"])])
def test_a_literal_percent_as_bagit_python_writes_it(tmp_path: Path, version: str, warned: list[str]) -> None:
    report = check(make_bag(tmp_path, payload={"data/a%25b": b"x"}, version=version, info=""))
    assert codes(report) == warned
    assert report.is_valid


def test_A2_normalization_forms_are_two_files(tmp_path: Path) -> None:
    payload = {"data/é": b"1", "data/e\u0301": b"2"}
    assert check(make_bag(tmp_path, payload=payload, info="")).findings == ()
    (tmp_path / "data/é").write_bytes(b"2")
    assert codes(check(tmp_path)) == ["bag.payload-corrupt"]


def test_A1_a_name_normalized_on_the_way_is_still_compared(tmp_path: Path) -> None:
    manifest = lines({"data/é": b"x"}, "sha512").encode()
    bag = make_bag(tmp_path, payload={"data/e\u0301": b"x"}, info="", extra={"manifest-sha512.txt": manifest})
    report = check(bag)
    assert report.is_valid
    assert codes(report) == ["bag.name-differs"]
    (bag / "data/e\u0301").write_bytes(b"y")
    assert codes(check(bag)) == ["bag.name-differs", "bag.payload-corrupt"]


def test_a_file_that_only_resembles_a_missing_one_does_not_replace_it(tmp_path: Path) -> None:
    manifest = lines({"data/x": b"1", "data/X": b"2"}, "sha512").encode()
    report = check(
        make_bag(tmp_path, payload={"data/x": b"1"}, info="", extra={"manifest-sha512.txt": manifest})
    )
    assert [(each.code, each.path) for each in report.findings] == [("bag.payload-missing", "data/X")]


def test_debris_may_be_gone_but_nothing_else_with_it(tmp_path: Path) -> None:
    listed = {**PAYLOAD, "data/.DS_Store": b"finder"}
    extra = {"manifest-sha512.txt": lines(listed, "sha512").encode()}
    report = check(make_bag(tmp_path, info="Payload-Oxum: 15.3\n", extra=extra))
    assert report.is_valid
    assert codes(report) == ["bag.debris-missing"]
    (tmp_path / "bag-info.txt").write_text("Payload-Oxum: 8.3\n")
    assert "bag.oxum-mismatch" in codes(check(tmp_path))
    (tmp_path / "bag-info.txt").write_text("Payload-Oxum: 15.3\n")
    (tmp_path / "data/a.txt").unlink()
    assert "bag.oxum-mismatch" in codes(check(tmp_path))


@pytest.mark.parametrize("version", ["0.97", "1.0"])
def test_from_1_0_on_every_manifest_lists_every_file(tmp_path: Path, version: str) -> None:
    first, second = ({name: PAYLOAD[name]} for name in PAYLOAD)
    extra = {
        "manifest-md5.txt": lines(first, "md5").encode(),
        "manifest-sha256.txt": lines(second, "sha256").encode(),
    }
    report = check(make_bag(tmp_path, version=version, algorithms=(), extra=extra))
    assert report.is_valid is (version == "0.97")
    assert codes(report) == ([] if version == "0.97" else ["bag.payload-not-listed"] * 2)


@pytest.mark.parametrize(
    ("version", "second", "code"),
    [
        ("0.97", b"alpha", "bag.listed-twice-alike"),
        ("1.0", b"alpha", "bag.listed-twice"),
        ("0.97", b"other", "bag.listed-twice-differently"),
        ("1.0", b"other", "bag.listed-twice-differently"),
    ],
)
def test_a_path_listed_twice(tmp_path: Path, version: str, second: bytes, code: str) -> None:
    manifest = lines(PAYLOAD, "sha512") + lines({"data/a.txt": second}, "sha512")
    report = check(make_bag(tmp_path, version=version, extra={"manifest-sha512.txt": manifest.encode()}))
    assert codes(report) == [code]
    assert report.is_valid is (code == "bag.listed-twice-alike")


def test_a_bag_without_payload_is_an_error(tmp_path: Path) -> None:
    report = check(make_bag(tmp_path, payload={}, info=""))
    assert "bag.no-payload" in codes(report)
    assert not report.is_valid


def test_an_unknown_encoding_is_an_error(tmp_path: Path) -> None:
    extra = {"bagit.txt": DECLARATION.format(version="1.0", encoding="zlib").encode()}
    report = check(make_bag(tmp_path, extra=extra))
    assert codes(report) == ["bag.encoding-unknown"]
    assert has_errors(report.findings)


def test_A16_ten_thousand_files_of_known_digests_are_not_read(tmp_path: Path) -> None:
    class Listed:
        """A submission of very many files whose digests are known, as reception leaves it."""

        def __init__(self, count: int) -> None:
            self.hex = hashlib.sha512(b"").hexdigest()
            self.files = {f"data/{number % 100}/{number}": 0 for number in range(count)}
            manifest = "".join(f"{self.hex}  {name}\n" for name in self.files).encode()
            (tmp_path / "manifest-sha512.txt").write_bytes(manifest)
            (tmp_path / "bagit.txt").write_bytes(DECLARATION.format(version="1.0", encoding="UTF-8").encode())
            self.tags = FolderSubmission(tmp_path)

        def paths(self) -> list[str]:
            return [*self.tags.paths(), *self.files]

        def __contains__(self, path: object) -> bool:
            return path in self.files or path in self.tags

        def size(self, path: str) -> int:
            return self.files.get(path, 0)

        def digest(self, path: str, algorithm: str) -> str:
            return self.hex if path in self.files else self.tags.digest(path, algorithm)

        def read(self, path: str, limit: int) -> bytes:
            return self.tags.read(path, limit)

        def open(self, path: str):
            return self.tags.open(path)

    report = validate_bag(Listed(10_000), digests_known=True)
    assert report.is_valid
    assert report.payload_files == len(report.declared) == 10_000
    assert (tmp_path / "manifest-sha512.txt").stat().st_size > 1_000_000
