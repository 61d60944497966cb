"""The rules of the house that no linter knows: whole-tree checks, each failing on what it forbids."""

import ast
import gc
import graphlib
import hashlib
import importlib.metadata
import importlib.util
import json
import re
import socket
import subprocess
import sys
import tomllib
import wave
import zipfile
from functools import cache
from pathlib import Path

import pikepdf
import pytest
import pytest_socket
from PIL import Image

PROJECT = Path(__file__).resolve().parents[2]
ROOMS = ("packages", "storage", "tools", "services", "cli", "api", "flows", "schemas")
HERE = (*ROOMS, "tests", "benchmarks", "scripts", "stage")
OPEN_MARKS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")) + r")\b")


@cache
def committed() -> tuple[Path, ...]:
    """Return the files that git knows or would take: what is ignored is nobody's business here."""
    command = ["git", "-C", str(PROJECT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, capture_output=True).stdout.decode()
    return tuple(path for name in listed.split("\0") if name and (path := PROJECT / name).is_file())


@cache
def texts() -> dict[str, str]:
    """Return every committed text by its path in the project."""
    found = {}
    for path in committed():
        try:
            found[path.relative_to(PROJECT).as_posix()] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or another sample
    return found


def sources() -> dict[str, str]:
    """Return the Python files of the rooms (no tests, no scripts)."""
    return {
        name: text for name, text in texts().items() if name.endswith(".py") and name.split("/")[0] in ROOMS
    }


@cache
def nodes() -> tuple[tuple[str, tuple[ast.AST, ...]], ...]:
    """Return the nodes of each Python file of the rooms: walking again would take longer than each test."""
    gc.disable()  # these half a million stay: to look for garbage among them takes longer than to make them
    made = tuple((name, tuple(ast.walk(ast.parse(text)))) for name, text in sources().items())
    gc.enable()
    return made


def test_unit_tests_open_no_sockets() -> None:
    with (
        pytest.warns(UserWarning, match="tried to use socket"),
        pytest.raises(pytest_socket.SocketBlockedError),
    ):
        socket.socket(socket.AF_INET, socket.SOCK_STREAM)


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_is_ours(room: str) -> None:
    spec = importlib.util.find_spec(room)
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).resolve().is_relative_to(PROJECT), f"another package is called {room}"


def test_there_are_no_open_marks() -> None:
    found = [
        f"{name}:{number}"
        for name, text in texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if OPEN_MARKS.search(line) and name != "LICENSE"
    ]
    assert found == []


def test_nothing_is_a_stub() -> None:
    raising = re.compile(r"raise NotImplemented(Error)?\b")
    assert [name for name, text in sources().items() if raising.search(text)] == []


def test_assert_is_used_in_tests_only() -> None:
    found = [
        f"{name}:{node.lineno}" for name, within in nodes() for node in within if isinstance(node, ast.Assert)
    ]
    assert found == []


def test_packages_cannot_reach_the_network() -> None:
    """import-linter cannot forbid one module of the standard library's `urllib`, of which `parse` is fine."""
    reaching = re.compile(
        r"^\s*(?:from urllib import .*request|(?:from|import) urllib\.request)", re.MULTILINE
    )
    found = [
        name for name, text in sources().items() if name.startswith("packages/") and reaching.search(text)
    ]
    assert found == []


def test_no_modules_import_each_other_in_a_ring() -> None:
    """Also not for types alone, nor in a function: whoever reads one of them has to read them all."""
    trees = {
        name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): tree for name, tree in nodes()
    }
    imported = {
        module: {
            whole if (whole := f"{node.module}.{each.name}") in trees else str(node.module)
            for node in tree
            if isinstance(node, ast.ImportFrom)
            for each in node.names
        }
        - {module}
        for module, tree in trees.items()
    }
    graphlib.TopologicalSorter(imported).prepare()  # raises CycleError, which names the ring


def test_modules_and_functions_are_short() -> None:
    long = [name for name, text in texts().items() if name.endswith(".py") and text.count("\n") > 400]
    long += [
        f"{name}:{node.name}"
        for name, within in nodes()
        for node in within
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 50
    ]
    assert long == []


def test_every_exception_from_a_rule_says_why() -> None:
    bare = re.compile(
        r"#\s*(?:noqa|type:\s*ignore|pragma:\s*no cover|fmt:\s*skip)(?!\S*.*(?:#|\u2014| - )\s*`?\w)",
        re.ASCII,
    )
    found = [
        f"{name}:{number}"
        for name, text in texts().items()
        if name.endswith(".py")
        for number, line in enumerate(text.splitlines(), 1)
        if bare.search(line)
    ]
    assert found == []


def test_no_machine_is_named() -> None:
    """Neither a folder of the machine that this was written on nor a package index may stand in the tree."""
    place = re.compile(
        rf"{re.escape(str(PROJECT))}|(?<![\w.])/(?:root|work)/|(?:index|find-links)[-_]url\s*[=:]\s*\S*//"
        r"|pypi\.org|files\.pythonhosted|crates\.io|artifactory"
    )
    found = [
        f"{name}:{number}: {line.strip()[:80]}"
        for name, text in texts().items()
        if name != "tests/unit/test_house.py"
        for number, line in enumerate(text.splitlines(), 1)
        if place.search(line)
    ]
    assert found == []


# --- finding codes -------------------------------------------------------------------


def finding_codes() -> dict[str, dict[str, str]]:
    return json.loads(texts()["schemas/findings.json"])


@cache
def takers_of_codes() -> dict[str, int]:
    """Return where each function or class of the rooms takes a finding's code: its parameter `code`."""
    found = {"finding": 0, "make": 0}
    for _, within in nodes():
        owners = {part: node for node in within if isinstance(node, ast.ClassDef) for part in node.body}
        for node in within:
            if isinstance(node, ast.FunctionDef):
                names = [each.arg for each in node.args.args if each.arg != "self"]
                if "code" in names:
                    called = owners[node].name if node.name == "__init__" else node.name
                    found[called] = names.index("code")
    found.pop("count", None)  # asks whether a code was found, and speaks none
    return found


def strings(*nodes: ast.AST | None) -> set[str]:
    """Return the string literals that stand in `nodes`."""
    inside = (each for node in nodes if node is not None for each in ast.walk(node))
    return {each.value for each in inside if isinstance(each, ast.Constant) and isinstance(each.value, str)}


@cache
def spoken() -> set[str]:
    """Return what may be a finding's code: given where one is taken, or an entry of a table of literals."""
    found: set[str] = set()
    for _, within in nodes():
        for node in within:
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
                at = takers_of_codes().get(name)
                if at is not None and at < len(node.args):
                    found |= strings(node.args[at])
            elif isinstance(node, ast.Dict):
                found |= strings(*(each for each in node.values if isinstance(each, ast.Constant)))
            elif isinstance(node, ast.Tuple | ast.List):
                found |= strings(*(each for each in node.elts if isinstance(each, ast.Constant)))
    return found


@pytest.mark.slow
def test_every_finding_code_is_used_and_whole() -> None:
    for code, entry in finding_codes().items():
        assert re.fullmatch(r"[a-z]+(?:-[a-z]+)*\.[a-z0-9]+(?:-[a-z0-9]+)*", code), code
        assert set(entry) == {"severity", "sentence", "hint"}, code
        assert entry["severity"] in {"error", "warning", "info"}, code
        assert entry["sentence"].strip(), code
        assert entry["hint"].strip(), f"{code} leaves the depositor without a remedy"
    unused = sorted(set(finding_codes()) - spoken())
    assert unused == [], "codes that no code speaks"


def test_every_finding_that_is_made_has_a_code() -> None:
    known = finding_codes()
    unknown = [
        f"{name}:{node.lineno}: {node.args[0].value}"
        for name, within in nodes()
        for node in within
        if isinstance(node, ast.Call)
        and (getattr(node.func, "id", None) or getattr(node.func, "attr", None)) == "finding"
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and node.args[0].value not in known
    ]
    assert unknown == []


# --- settings, versions, words -------------------------------------------------------


def test_pages_made_from_data_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("write_pages", PROJECT / "scripts" / "write_pages.py")
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    for name, page in writer.PAGES.items():
        assert texts()[f"docs/{name}"] == page(), f"docs/{name} is old: run scripts/write_pages.py"


def plain(requirement: str) -> str:
    """Return the name in a requirement, in its normal form."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=~!; ]", requirement)[0]).lower()


def test_every_dependency_is_pinned() -> None:
    pinned = {plain(line) for line in texts()["constraints.txt"].splitlines() if "==" in line}
    project = tomllib.loads(texts()["pyproject.toml"])["project"]
    wanted = project["dependencies"] + [
        name for extra in project["optional-dependencies"].values() for name in extra
    ]
    assert {plain(each) for each in wanted} - pinned == set()


def imported(*folders: str) -> set[str]:
    """Return the top-level modules that the Python files in `folders` import, at their top or later.

    By line, for ruff has each import on a line of its own: to parse the tests too takes several seconds.
    """
    line = re.compile(r"^[ \t]*(?:from (\w+)[\w.]* import|import (\w+))", re.MULTILINE)
    files = (text for name, text in texts().items() if name.endswith(".py") and name.split("/")[0] in folders)
    return {a or b for text in files for a, b in line.findall(text)} - set(sys.stdlib_module_names)


@pytest.mark.parametrize(
    ("folders", "extras"), [(ROOMS, ()), (("tests", "benchmarks"), ("test",)), (("scripts",), ("demo",))]
)
@pytest.mark.slow
def test_what_is_imported_is_asked_for(folders: tuple[str, ...], extras: tuple[str, ...]) -> None:
    """Nothing may work only because something else happens to bring it along."""
    project = tomllib.loads(texts()["pyproject.toml"])["project"]
    wanted = [
        *project["dependencies"],
        *(each for name in extras for each in project["optional-dependencies"][name]),
    ]
    asked = {plain(each) for each in wanted}
    brought = importlib.metadata.packages_distributions()
    outside = {each for each in imported(*folders) if each in brought and each not in HERE}
    assert {each for each in outside if not asked & {plain(name) for name in brought[each]}} == set()
    assert outside, "nothing was looked at"


def test_what_the_rooms_read_is_installed_with_them() -> None:
    patterns = tomllib.loads(texts()["pyproject.toml"])["tool"]["setuptools"]["package-data"]["*"]
    inside = [each.relative_to(PROJECT) for each in committed()]
    data = [
        each for each in inside if each.parts[0] in ROOMS and len(each.parts) > 1 and each.suffix != ".py"
    ]
    assert {"prefect.yaml", "py.typed", "findings.json"} <= {each.name for each in data}
    assert [each for each in data if not any(each.match(pattern) for pattern in patterns)] == []
    assert [each for each in patterns if not any(file.match(each) for file in data)] == []


def test_constraints_hold_versions_only() -> None:
    lines = [line for line in texts()["constraints.txt"].splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.]*", line)] == []


def test_every_picture_is_shown_by_a_document() -> None:
    documents = "".join(text for name, text in texts().items() if name.endswith(".md"))
    pictures = [path.name for path in committed() if path.parent == PROJECT / "docs" / "pictures"]
    assert [name for name in pictures if f"pictures/{name})" not in documents] == []


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    readme = texts()["README.md"]
    assert readme.count("\n") < 60
    for name, text in texts().items():
        if name == "README.md" or (name.startswith("docs/") and name.endswith(".md")):
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
                assert ((PROJECT / name).parent / target).exists(), f"{name} points to {target}"


def test_every_port_states_obligations() -> None:
    for name, within in nodes():
        for node in within:
            if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
                continue  # a private one names a shape, no port
            if any(ast.unparse(base) == "Protocol" for base in node.bases):
                said = ast.get_docstring(node) or ""
                assert len(said) >= 45, f"{name}: the port {node.name} states no obligations"


# --- samples -------------------------------------------------------------------------

HARBOUR = PROJECT / "samples" / "harbour"


def test_samples_are_what_they_say() -> None:
    with Image.open(HARBOUR / "images" / "tide-curve.png") as png:
        png.verify()
        assert (png.format, png.size) == ("PNG", (320, 160))
    with Image.open(HARBOUR / "images" / "harbour-plan.tif") as tiff:
        tiff.load()
        assert (tiff.format, tiff.size) == ("TIFF", (240, 180))
    with Image.open(HARBOUR / "images" / "pilot-cutter.bmp") as bmp:
        bmp.load()
        assert bmp.format == "BMP"
    with pikepdf.open(HARBOUR / "reports" / "high-water.pdf") as pdf:
        assert pdf.check_pdf_syntax() == []
        assert len(pdf.pages) == 1
    with wave.open(str(HARBOUR / "sound" / "mole-bell.wav")) as sound:
        assert sound.getnframes() == 4800
    with zipfile.ZipFile(HARBOUR / "reports" / "letter-to-the-ministry.docx") as letter:
        assert letter.testzip() is None
        assert "word/document.xml" in letter.namelist()


def test_samples_are_small() -> None:
    sizes = {path: path.stat().st_size for path in (PROJECT / "samples").rglob("*") if path.is_file()}
    assert max(sizes.values()) < 16_000
    assert sum(sizes.values()) < 64_000


def wrong_lines(bag: Path, manifest: str) -> list[str]:
    """Return the paths of a manifest whose file is absent or has another digest (RFC 8493, by hand)."""
    wrong = []
    for line in (bag / manifest).read_text(encoding="utf-8").splitlines():
        digest, path = line.split("  ", 1)
        file = bag / path.replace("%25", "%")
        if not file.is_file() or hashlib.sha512(file.read_bytes()).hexdigest() != digest:
            wrong.append(path)
    return wrong


def test_the_good_bag_is_good_and_the_broken_one_broken_as_the_demo_says() -> None:
    good = PROJECT / "samples" / "lighthouse-bag"
    assert wrong_lines(good, "manifest-sha512.txt") == []
    assert wrong_lines(good, "tagmanifest-sha512.txt") == []
    broken = PROJECT / "samples" / "broken-bag"
    assert wrong_lines(broken, "manifest-sha512.txt") == [
        "data/../../outside.txt",
        "data/minutes.txt",
        "data/photograph.png",
    ]
    assert wrong_lines(broken, "tagmanifest-sha512.txt") == ["bag-info.txt"]
    assert "thumbs.tmp" not in (broken / "manifest-sha512.txt").read_text(encoding="utf-8")
