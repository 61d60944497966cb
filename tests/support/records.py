"""Valid records of every shape, made from the schema itself: what is added there is tested at once."""

from typing import Any

from hypothesis import strategies as st

import schemas

# Everything that JSON in UTF-8 can hold, and what crosswalks stumble on.
texts = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20),
    st.sampled_from(
        ["&<>\"'", "]]>", "\x03", "\ufffe", "\t\r\n", "https://example.org/ü?a=b c#[x]", "10.5072/a<b", "1:2"]
    ),
)


def records() -> st.SearchStrategy[dict[str, Any]]:
    """Records that are valid by record-1.0.json, short forms among them."""
    return _strategy(schemas.load("record-1.0.json")).map(_with_dates)


def _strategy(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if isinstance(schema["type"], list):
        short = _strategy(schema["then"]) if "then" in schema else texts
        return st.one_of(short, _strategy({**schema, "type": "object"}))
    return _MAKERS[schema["type"]](schema)


def _object(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    members = {name: _strategy(each) for name, each in schema["properties"].items()}
    required = {name: members.pop(name) for name in schema.get("required", ())}
    least = schema.get("minProperties", 0)
    return st.fixed_dictionaries(required, optional=members).filter(lambda made: len(made) >= least)


def _array(schema: dict[str, Any]) -> st.SearchStrategy[list[Any]]:
    least = schema.get("minItems", 0)
    return st.lists(_strategy(schema["items"]), min_size=least, max_size=least + 2)


def _string(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "date":
        return st.dates().map(str)
    if schema.get("pattern") == r"\S":
        return texts.filter(lambda text: bool(text.strip()))
    return st.from_regex(schema["pattern"], fullmatch=True) if "pattern" in schema else texts


def _number(schema: dict[str, Any]) -> st.SearchStrategy[float]:
    least, most = schema["minimum"], schema["maximum"]
    return st.one_of(st.integers(least, most), st.floats(least, most))


def _integer(schema: dict[str, Any]) -> st.SearchStrategy[float]:
    whole = st.integers(schema["minimum"], schema["maximum"])
    return st.one_of(whole, whole.map(float))  # 1843.0 is an integer in JSON Schema


_MAKERS = {"object": _object, "array": _array, "string": _string, "number": _number, "integer": _integer}


def _with_dates(record: dict[str, Any]) -> dict[str, Any]:
    """Give an embargo the date that the schema asks for."""
    access = record.get("access", {})
    for name in ("metadata", "files"):
        if access.get(name) == "embargoed":
            access.setdefault(f"{name}Until", "2031-01-01")
    return record
