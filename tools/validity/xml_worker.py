"""The child process that holds XML documents against their schemas; spoken to by `xml_schemas`.

Schemas are known by addresses of our own, ``package:/…`` and ``catalogue:/…``: libxml2 is given no path and
no URL that it could open by itself.
"""

import posixpath
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from lxml import etree

from packages.content_paths import content_path
from packages.xml_text import legal
from tools.crew_member import serve
from tools.validity.xml_bounds import LONGEST, MOST_MESSAGES

XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
XS = "{http://www.w3.org/2001/XMLSchema}"
MOST_SCHEMAS = 5000
LARGEST_SCHEMA = 16 << 20
MOST_KEPT = 16
_DRIVER = (
    '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:holdfast:held-to">'
    "{}</xs:schema>"
)
_IMPORT = '<xs:import namespace="{}" schemaLocation="{}"/>'
_IMPORT_NO_NAMESPACE = '<xs:import schemaLocation="{}"/>'


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
    )


class _Schemas(etree.Resolver):  # type: ignore[misc]  # lxml has no types
    """Finds schemas for libxml2, and writes into each where the others are: it looks for none itself."""

    def __init__(self, root: Path, folder: str) -> None:
        self.root = root
        self.folder = folder
        self.missing: list[str] = []

    def locate(self, namespace: str, href: str, base: str) -> str | None:
        """Return our address of the schema that the document at address `base` calls `href`, or None."""
        if href and not urlsplit(href).scheme and not href.startswith("/"):
            kind, _, path = base.partition(":/")
            inside = posixpath.normpath(posixpath.join(posixpath.dirname(unquote(path)), unquote(href)))
            address = f"{kind}:/{quote(inside)}"
            if self._file(address) is not None:
                return address
        known = catalogue(self.folder).get(namespace)
        return f"catalogue:/{quote(known)}" if known and namespace else None

    def resolve(self, url: str, _public_id: str | None, context: Any) -> Any:
        """Give libxml2 the schema at `url`; what is not here is noted, and left out of the schema."""
        file = self._file(url)
        if file is None or file.stat().st_size > LARGEST_SCHEMA:
            self.missing.append(url)
            return self.resolve_string("", context)
        try:
            schema = etree.parse(file, _parser()).getroot()
        except etree.XMLSyntaxError:
            return self.resolve_string(
                file.read_bytes(), context, base_url=url
            )  # libxml2 will say what is wrong
        for each in schema.iterchildren(f"{XS}import", f"{XS}include", f"{XS}redefine"):
            self._place(each, url)
        return self.resolve_string(etree.tostring(schema), context, base_url=url)

    def _place(self, wanted: Any, base: str) -> None:
        """Write into an import, include or redefine where it is."""
        href, is_import = wanted.get("schemaLocation", ""), wanted.tag == f"{XS}import"
        address = self.locate(wanted.get("namespace", "") if is_import else "", href, base)
        if address is not None:
            wanted.set("schemaLocation", address)
            return
        self.missing.append(href or wanted.get("namespace", ""))
        wanted.getparent().remove(wanted)

    def _file(self, address: str) -> Path | None:
        kind, _, rest = address.partition(":/")
        inside = posixpath.normpath(unquote(rest).lstrip("/"))
        if inside.startswith("..") or "\0" in inside:
            return None
        if kind == "package":
            file = self.root / content_path(inside)
        elif kind == "catalogue" and self.folder:
            file = Path(self.folder, inside)
        else:
            return None
        top = self.root if kind == "package" else Path(self.folder)
        return file if file.is_file() and file.resolve().is_relative_to(top.resolve()) else None


@cache
def catalogue(folder: str) -> dict[str, str]:
    """Return target namespace → file of the schemas in `folder` (or "": none)."""
    found: dict[str, str] = {}
    for number, file in enumerate(sorted(Path(folder).rglob("*.xsd")) if folder else []):
        if number >= MOST_SCHEMAS:
            break
        try:
            for _, root in etree.iterparse(file, events=("start",), resolve_entities=False, no_network=True):
                if root.tag == f"{XS}schema":
                    found.setdefault(root.get("targetNamespace", ""), file.relative_to(folder).as_posix())
                break
        except (etree.XMLSyntaxError, OSError):
            continue
    return found


_compiled: dict[tuple[str, ...], tuple[etree.XMLSchema | None, list[str]]] = {}


def _schema(schemas: _Schemas, wanted: list[tuple[str, str]]) -> tuple[etree.XMLSchema | None, list[str]]:
    """Return one schema of all that are `wanted`, (namespace, our address) each; or None, and why."""
    key = (str(schemas.root), schemas.folder, *(text for pair in wanted for text in pair))
    if key not in _compiled:
        if len(_compiled) >= MOST_KEPT:
            _compiled.clear()
        _compiled[key] = _compile(schemas, wanted)
    return _compiled[key]


def _compile(schemas: _Schemas, wanted: list[tuple[str, str]]) -> tuple[etree.XMLSchema | None, list[str]]:
    imports = "".join(
        (_IMPORT.format(_quoted(namespace), address) if namespace else _IMPORT_NO_NAMESPACE.format(address))
        for namespace, address in wanted
    )
    parser = _parser()
    parser.resolvers.add(schemas)
    driver = etree.fromstring(_DRIVER.format(imports), parser, base_url="driver:/")
    try:
        compiled = etree.XMLSchema(driver)
    except etree.LxmlError as error:
        reasons = [f"its schema is wrong: {error}"]
    else:
        if not schemas.missing:
            return compiled, []
        reasons = []
    return None, [f"not here: {each}" for each in dict.fromkeys(schemas.missing)] or reasons


def _quoted(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def judge(file: str, root: str, path: str, folder: str, largest: int) -> list[Any]:
    """Return outcome, profile and messages for one document."""
    if Path(file).stat().st_size > largest:
        return [
            "could not check",
            None,
            [f"it is larger than the {largest:,} bytes up to which files are checked"],
        ]
    try:
        document = etree.parse(file, _parser())
    except etree.XMLSyntaxError as error:
        return ["not valid", "XML", [f"it is not well-formed: {error}"]]
    top = document.getroot()
    schemas = _Schemas(Path(root), folder)
    declared = _declared(top)
    wanted, missing = [], []
    for namespace, href in declared:
        address = schemas.locate(namespace, href, f"package:/{quote(path)}")
        (missing.append(href) if address is None else wanted.append((namespace, address)))
    own = etree.QName(top).namespace or ""
    if not declared and (known := catalogue(folder).get(own)):
        wanted = [(own, f"catalogue:/{quote(known)}")]
    if not declared and not wanted:
        return ["well-formed", "XML", ["it names no schema"]]
    if missing:
        return ["could not check", "XML", [f"it is well-formed; not here: {each}" for each in missing]]
    return _held_to(document, schemas, wanted)


def _held_to(document: Any, schemas: _Schemas, wanted: list[tuple[str, str]]) -> list[Any]:
    profile = " ".join(namespace or posixpath.basename(unquote(address)) for namespace, address in wanted)
    schema, reasons = _schema(schemas, wanted)
    if schema is None:
        return ["could not check", profile, [f"it is well-formed; {each}" for each in reasons]]
    try:
        if schema.validate(document):
            return ["valid", profile, []]
    except etree.LxmlError as error:
        return ["could not check", profile, [f"it is well-formed; {error}"]]
    return [
        "not valid",
        profile,
        [f"line {each.line}: {each.message}" for each in schema.error_log][:MOST_MESSAGES],
    ]


def _declared(top: Any) -> list[tuple[str, str]]:
    """Return the schemas that the root names: (namespace, place) each."""
    words = (top.get(f"{XSI}schemaLocation") or "").split()
    pairs = list(zip(words[::2], words[1::2], strict=False))
    if place := (top.get(f"{XSI}noNamespaceSchemaLocation") or "").strip():
        pairs.append(("", place))
    return list(dict.fromkeys(pairs))


def answer(batch: list[Any]) -> Iterable[list[Any]]:
    """Answer one batch, a document at a time."""
    return ([_safely(job)] for job in batch)


def _safely(job: list[Any]) -> list[Any]:
    try:
        outcome, profile, messages = judge(*job)
        told = [legal(each)[:LONGEST] for each in messages]  # in a message libxml2 repeats what is wrong
        return [outcome, profile and legal(profile)[:LONGEST], told]
    except MemoryError:
        return ["could not check", None, ["it takes too much memory"]]
    except OSError as error:
        return ["could not check", None, [f"it cannot be read: {error.strerror}"]]


def answers(batch: list[Any]) -> Iterator[list[Any]]:
    """Yield lists of answers in the order of `batch`."""
    yield from answer(batch)


if __name__ == "__main__":
    serve(answers)
