"""Changes ``holdfast.toml`` so that what people wrote there stays; the new text is proven before it holds."""

import json
import os
import re
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from packages.errors import Conflict, Invalid, Refused
from services.settings_sources import settings_from
from services.store_settings import StoreFacts
from storage.durability import fsync_folder

NAME = "holdfast.toml"
_TABLE = re.compile(r"^[ \t]*\[", re.MULTILINE)
_STORES = re.compile(r"^[ \t]*stores[ \t]*=.*$", re.MULTILINE)


def write_stores(home: Path, urls: Mapping[str, str], facts: Mapping[str, Mapping[str, Any]]) -> None:
    """Say in ``holdfast.toml`` that these are the stores, primary first, and what is said of each.

    Everything else in the file stays as it is, byte for byte. Tables of `facts` are written anew where they
    changed, and taken out where a store has none. Raises Refused when the environment says which
    stores there are, or when the file cannot be changed so that exactly this comes of it; Conflict when
    somebody else changed it meanwhile. Nothing is written then.
    """
    _replace(*_planned(home, urls, facts))


def require_changeable(home: Path, urls: Mapping[str, str], facts: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise what `write_stores` would raise now, and change nothing."""
    _planned(home, urls, facts)


def _planned(
    home: Path, urls: Mapping[str, str], facts: Mapping[str, Mapping[str, Any]]
) -> tuple[Path, bytes, bytes]:
    """Return the file, what it holds, and what it is to hold."""
    if "HOLDFAST_STORES" in os.environ:
        told = ",".join(f"{name}={url}" for name, url in urls.items())
        raise Refused(
            "HOLDFAST_STORES comes from the environment, which goes before holdfast.toml",
            hint=f"set it there to {told}, then run the command again",
        )
    file = home / NAME
    before, text, known = _read(file)
    wanted = known | {"stores": ",".join(f"{name}={url}" for name, url in urls.items())}
    wanted["store"] = {name: dict(said) for name, said in facts.items() if said}
    if not wanted["store"]:
        del wanted["store"]
    settings_from(home, wanted).store_urls  # noqa: B018  # raises for what makes no sense
    after = _changed(text, known, wanted)
    if not _means(after, wanted):
        raise Refused(
            f"{file} is written in a way that this command does not change safely",
            hint=f"write it by hand: stores = {_value(wanted['stores'])}, and a table [store.NAME] for each",
        )
    return file, before, after.encode()


def said_of_stores(home: Path) -> dict[str, dict[str, Any]]:
    """Return the tables ``[store.NAME]`` as the file has them."""
    return {name: dict(said) for name, said in _read(home / NAME)[2].get("store", {}).items()}


def facts_of(texts: Iterable[str]) -> dict[str, Any]:
    """Return facts that were written as ``place=Oslo``; an empty one is "". Raises Invalid, naming all."""
    texts = list(texts)
    given = dict(each.partition("=")[::2] for each in texts)
    wrong = [each for each in texts if "=" not in each]
    wrong += [f"{name}=" for name in given.keys() - StoreFacts.model_fields.keys() if name not in wrong]
    known = {name: value for name, value in given.items() if name in StoreFacts.model_fields and value}
    try:
        read = StoreFacts.model_validate(known)
    except ValidationError as error:
        wrong += [f"{each['loc'][0]}={each['input']}: {each['msg']}" for each in error.errors()]
    if wrong:
        raise Invalid(
            f"not understood: {'; '.join(sorted(wrong))}",
            hint=f"write FACT=VALUE, of these: {', '.join(StoreFacts.model_fields)}",
        )
    return {name: getattr(read, name) if value else "" for name, value in given.items()}


def _read(file: Path) -> tuple[bytes, str, dict[str, Any]]:
    data = file.read_bytes()
    try:
        text = data.decode()
        return data, text, tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Refused(f"{file} is not valid TOML: {error}") from None


def _means(text: str, wanted: Mapping[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        return False


def _changed(text: str, known: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    line = f"stores = {_value(wanted['stores'])}"
    table = _TABLE.search(text)
    head, rest = (text[: table.start()], text[table.start() :]) if table else (text, "")
    if _STORES.search(head):
        head = _STORES.sub(lambda _: line, head, count=1)
    else:
        head = f"{head.rstrip()}\n\n{line}\n" + ("\n" if rest else "")
    before, after = known.get("store", {}), wanted.get("store", {})
    for name in before:
        if before[name] != after.get(name):
            rest = _section(name).sub("", rest)
    for name, said in after.items():
        if said != before.get(name):
            lines = "".join(f"{fact} = {_value(value)}\n" for fact, value in said.items())
            rest = (
                f"{rest.rstrip()}\n\n[store.{name}]\n{lines}"
                if rest.strip()
                else f"\n[store.{name}]\n{lines}"
            )
    return head.rstrip("\n") + "\n" + (f"\n{rest.lstrip(chr(10))}" if rest.strip() else "")


def _section(name: str) -> re.Pattern[str]:
    """Return what finds one store's table, from its heading to before the next one."""
    heading = rf"^[ \t]*\[store\.(?:{re.escape(name)}|\"{re.escape(name)}\")\][^\n]*\n?"
    return re.compile(rf"{heading}(?:(?![ \t]*\[)[^\n]*(?:\n|\Z))*", re.MULTILINE)


def _value(value: Any) -> str:
    """Return a value as TOML: a basic string is written as JSON writes it, but for DEL."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _replace(file: Path, before: bytes, after: bytes) -> None:
    """Put the new text in place at once and durably, unless the file is not what it was."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{NAME}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(after)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(file.stat().st_mode & 0o777)
        if file.read_bytes() != before:
            raise Conflict(f"{file} was changed by somebody else meanwhile", hint="run the command again")
        Path(name).replace(file)
    finally:
        Path(name).unlink(missing_ok=True)
    fsync_folder(file.parent)
