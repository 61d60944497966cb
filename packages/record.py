"""The record of a package: what the depositor says that it is (``metadata/record.json``).

A record names its JSON Schema in ``$schema``; the schemas lie in ``schemas/`` and nothing is fetched from
anywhere. Parsing is strict (RFC 8259 without duplicate names, NaN or lone surrogates) and returns every
finding at once.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import schemas
from packages.findings import FINDINGS_PER_CODE, Finding, Findings, finding
from packages.model import Access, Openness

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

CURRENT = "https://holdfast.example/schemas/record-1.0.json"
SCHEMAS = {CURRENT: "record-1.0.json"}
RECORD_NAME = "metadata/record.json"
"""Where the record lies in a bag of ours."""
RECORD_LIMIT = 8 * 1024 * 1024  # bytes; the largest record known to us is 2 MiB
DEPTH_LIMIT = 64
_MOST_ERRORS = (
    10 * FINDINGS_PER_CODE
)  # each holds kilobytes, and 8 MiB can break the schema millions of times
_WORDS = 300  # characters of a schema message that are shown
# A string, or what an unfinished one leaves; possessive, so that no text makes it go back and try again.
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_RECOMMENDED = ("creators", "publisher", "publicationYear", "resourceType")


class _NotStrictError(ValueError):
    """The text is JSON for Python, but not for the standard."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def parse_record(data: bytes, path: str | None = None) -> tuple[dict[str, Any] | None, list[Finding]]:
    """Parse and check a record; return it in full form (see `full_record`), and every finding.

    The record is None if any finding is an error. `path` is what the findings bear. Without
    ``$schema`` the present schema is taken and named, with a warning. Never raises for what `data` holds.
    """
    try:
        record = _strict_json(data)
    except _NotStrictError as error:
        return None, [finding(error.code, path, detail=error.detail)]
    lone = Findings()
    for pointer in _lone_surrogates(record):
        lone.make("record.lone-surrogate", path, pointer=pointer)
    if lone.rejecting:
        return None, list(lone.all())
    if not isinstance(record, dict):
        return None, [finding("record.not-an-object", path)]
    findings = Findings()
    if "$schema" not in record:
        findings.make("record.schema-not-named", path, schema=CURRENT)
        record = {"$schema": CURRENT, **record}
    name = record["$schema"]
    if not isinstance(name, str) or name not in SCHEMAS:
        shown = json.dumps(name)[:_WORDS]
        return None, [finding("record.schema-unknown", path, schema=shown, known=", ".join(SCHEMAS))]
    for pointer, problem in schema_errors(record, SCHEMAS[name], most=_MOST_ERRORS):
        findings.make("record.schema", path, pointer=pointer or "/", problem=problem)
    if findings.rejecting:
        return None, list(findings.all())
    lacking = [field for field in _RECOMMENDED if not record.get(field)]
    if lacking:
        findings.make("record.recommended-missing", path, fields=", ".join(lacking))
    return full_record(record), list(findings.all())


def schema_errors(record: object, schema: str, *, most: int | None = None) -> Iterator[tuple[str, str]]:
    """Yield (JSON pointer, problem) for each violation of the schema file `schema` (JSON Schema 2020-12).

    An empty registry stands behind the schema: a remote ``$ref`` is never fetched. In order of the pointers;
    after the first `most` that are met no more is looked for.
    """
    errors = islice(_validator(schema).iter_errors(record), most)
    for error in sorted(errors, key=lambda each: [str(part) for part in each.absolute_path]):
        yield pointer_to(error.absolute_path), _problem(error)


@cache
def _validator(schema: str) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator, FormatChecker  # noqa: PLC0415  # slow to load: most commands
    from referencing import Registry  # noqa: PLC0415  # judge no record

    return Draft202012Validator(
        schemas.load(schema), registry=Registry(), format_checker=FormatChecker(["date"])
    )


def pointer_to(parts: Iterable[str | int]) -> str:
    """Return the JSON pointer (RFC 6901) of `parts`."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def dump_record(record: Mapping[str, Any]) -> bytes:
    """Return a record as it is kept: UTF-8, indented by two blanks, its fields in their order."""
    return (json.dumps(record, ensure_ascii=False, allow_nan=False, indent=2) + "\n").encode()


def full_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a valid record with every short form written out; a full record comes back equal.

    Short forms: a creator, publisher, affiliation, subject, description, right or resource type as a string.
    A description's type is *Abstract* unless it says otherwise.
    """
    full = dict(record)
    for field, key in (("publisher", "name"), ("resourceType", "resourceTypeGeneral")):
        if isinstance(full.get(field), str):
            full[field] = {key: full[field]}
    for field, key in (("subjects", "subject"), ("rights", "rights"), ("descriptions", "description")):
        if field in full:
            full[field] = [_as_object(each, key) for each in full[field]]
    for each in full.get("descriptions", ()):
        each.setdefault("descriptionType", "Abstract")
    for field in ("creators", "contributors"):
        if field in full:
            full[field] = [_person(each) for each in full[field]]
    return full


def minimal_record(
    title: str, bag_info: Iterable[tuple[str, str]] = (), year: int | None = None
) -> dict[str, Any]:
    """Make a valid record for a submission without one, from its name and its bag-info.txt (RFC 8493, 2.2.2).

    `title` gives way to bag-info's own *Title*; `year` is the year of deposit. Nothing is made up: what
    nobody said is left out.
    """
    said: dict[str, list[str]] = {}
    for label, value in bag_info:
        if value.strip():
            said.setdefault(label.strip().lower(), []).append(_without_surrogates(value.strip()))
    record: dict[str, Any] = {"$schema": CURRENT, "title": _without_surrogates(title.strip()) or "untitled"}
    record["title"] = said.get("title", [record["title"]])[0]
    if "source-organization" in said:
        record["publisher"] = {"name": said["source-organization"][0]}
    if year is not None:
        record["publicationYear"] = year
    if "contact-name" in said:
        record["contributors"] = [
            {"name": name, "contributorType": "ContactPerson"} for name in said["contact-name"]
        ]
    described = said.get("external-description", []) + said.get("internal-sender-description", [])
    if described:
        record["descriptions"] = [{"description": each, "descriptionType": "Abstract"} for each in described]
    if "external-identifier" in said:
        record["identifiers"] = [
            {"identifier": each, "identifierType": "External-Identifier"}
            for each in said["external-identifier"]
        ]
    return record


def title_of(record: Mapping[str, Any]) -> str:
    """Return the main title of a record."""
    return str(record["title"])


def access_of(record: Mapping[str, Any]) -> Access:
    """Return who may read the package; open where a valid record says nothing."""
    said = record.get("access", {})
    return Access(
        metadata=Openness(said.get("metadata", "open")),
        files=Openness(said.get("files", "open")),
        metadata_until=said.get("metadataUntil"),
        files_until=said.get("filesUntil"),
    )


def files_named(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the paths (inside the submission) of the files that the record describes."""
    return tuple(each["path"] for each in record.get("files", ()))


def check_files_named(
    record: Mapping[str, Any],
    present: Mapping[str, Any] | frozenset[str] | set[str],
    path: str | None = None,
) -> list[Finding]:
    """Find the files that the record names and `present` does not hold: an error each.

    Files that the record does not name are nothing unusual: a record need not list files at all.
    """
    findings = Findings()
    for name in dict.fromkeys(files_named(record)):
        if name not in present:
            findings.make("record.file-missing", path, name=name)
    return list(findings.all())


def _strict_json(data: bytes) -> Any:
    if len(data) > RECORD_LIMIT:
        raise _NotStrictError("record.too-large", f"{len(data)} bytes, at most {RECORD_LIMIT} are read")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _NotStrictError("record.not-json", f"not UTF-8 at byte {error.start}") from None
    depth = _depth(text)
    if depth > DEPTH_LIMIT:
        raise _NotStrictError(
            "record.too-deep", f"nested {depth} levels deep, at most {DEPTH_LIMIT} are read"
        )
    try:
        return json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except _NotStrictError:
        raise
    except json.JSONDecodeError as error:
        detail = f"{error.msg} at line {error.lineno}, column {error.colno}"
        raise _NotStrictError("record.not-json", detail) from None
    except ValueError:  # an integer of thousands of digits
        raise _NotStrictError("record.number", "an integer with thousands of digits") from None


def _depth(text: str) -> int:
    """Return how deep brackets nest outside strings, without recursion; stops soon after the limit."""
    depth = deepest = 0
    for bracket in _BRACKET.finditer(_STRING.sub("", text)):
        depth += 1 if bracket[0] in "[{" else -1
        deepest = max(deepest, depth)
        if deepest > DEPTH_LIMIT:
            break
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        left = Counter(name for name, _ in pairs)
        double = next(name for name, _ in pairs if left[name] > 1)
        raise _NotStrictError("record.duplicate-name", f"the name {json.dumps(double)[:_WORDS]} occurs twice")
    return made


def _refuse_constant(text: str) -> float:
    raise _NotStrictError("record.number", f"{text} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _NotStrictError("record.number", f"{text[:40]} is too large")
    return value


def _lone_surrogates(record: Any) -> Iterator[str]:
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), record)]
    while waiting:
        where, value = waiting.pop()
        if isinstance(value, str):
            if _without_surrogates(value) != value:
                yield pointer_to(_without_surrogates(str(part)) for part in where)
        elif isinstance(value, dict):
            waiting.extend(((*where, _without_surrogates(name)), each) for name, each in value.items())
            waiting.extend(((*where, "name"), name) for name in value if _without_surrogates(name) != name)
        elif isinstance(value, list):
            waiting.extend(((*where, index), each) for index, each in enumerate(value))


def _without_surrogates(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _problem(error: "ValidationError") -> str:
    if error.validator == "pattern":
        message = (
            f"{_shown(error.instance)} does not look like {error.schema.get('description', 'what it should')}"
        )
    elif error.validator == "enum":
        message = f"{_shown(error.instance)} is none of {', '.join(map(str, error.validator_value))}"
        return message if len(message) < 2 * _WORDS else f"{_shown(error.instance)} is not a known term"
    elif error.validator in {"type", "format", "minLength", "minItems"}:
        message = f"{_shown(error.instance)} is not {_wanted(error)}"
    else:
        message = error.message
    return message if len(message) <= _WORDS else message[:_WORDS] + "…"


def _wanted(error: "ValidationError") -> str:
    if error.validator in {"minLength", "minItems"}:
        return "allowed: it must not be empty"
    kinds = error.validator_value
    return " or ".join(kinds) if isinstance(kinds, list) else f"of the kind {kinds}"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 80 else text[:80] + "…"


def _as_object(value: Any, key: str) -> dict[str, Any]:
    return {key: value} if isinstance(value, str) else dict(value)


def _person(value: Any) -> dict[str, Any]:
    person = _as_object(value, "name")
    if "affiliations" in person:
        person["affiliations"] = [_as_object(each, "name") for each in person["affiliations"]]
    return person
