"""Sources of settings: the environment (``HOLDFAST_…``), else ``holdfast.toml`` in the home, else defaults.

Unknown names are an error with a suggestion, because a misspelt setting is a setting that does not work.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from packages.errors import Refused
from services.settings import Settings
from services.store_settings import StoreFacts, masked

PREFIX = "HOLDFAST_"
NOT_SETTINGS = frozenset({"HOLDFAST_HOME"})  # says where the settings are; is none itself


@dataclass(frozen=True, slots=True)
class Origin:
    """A setting with the place it came from, as ``holdfast config`` shows it."""

    name: str
    value: str
    source: str
    description: str


def default_home() -> Path:
    """Return the home: ``HOLDFAST_HOME``, or the platform's user data folder."""
    if given := os.environ.get("HOLDFAST_HOME"):
        return Path(given).expanduser().absolute()
    data = os.environ.get("XDG_DATA_HOME") or Path("~/.local/share").expanduser()
    return Path(data) / "holdfast"


def load_settings(home: Path) -> Settings:
    """Read the settings for `home` from the environment and ``holdfast.toml``.

    Raises Refused with every wrong name and value at once.
    """
    return _build(home, _environment(), _toml(home))


def settings_from(home: Path, file: dict[str, Any]) -> Settings:
    """Return what would hold if `file` were what ``holdfast.toml`` says. Raises Refused."""
    return _build(home, _environment(), file)


def origins(home: Path) -> list[Origin]:
    """Return every setting with its value (secrets masked) and where it came from."""
    environment, file = _environment(), _toml(home)
    settings = _build(home, environment, file)
    shown = []
    for name, field in Settings.model_fields.items():
        if name in {"home", "store"}:
            continue
        value = str(
            {"database_url": settings.catalogue_url, "staging_url": settings.staging_root.as_uri()}.get(
                name, getattr(settings, name)
            )
        )
        if name == "stores":
            value = ",".join(f"{key}={url}" for key, url in settings.store_urls.items())
        source = "environment" if name in environment else "holdfast.toml" if name in file else "default"
        shown.append(Origin(PREFIX + name.upper(), masked(value), source, field.description or ""))
    return [*shown, *(each for name in settings.store_urls for each in _said_of(settings, name))]


def _said_of(settings: Settings, store: str) -> Iterator[Origin]:
    """Yield what is said about a store, a fact each."""
    said = settings.store.get(store, StoreFacts()).model_fields_set
    for fact, value in settings.facts(store).model_dump().items():
        source = "holdfast.toml" if fact in said else "default"
        told = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
        yield Origin(f"store.{store}.{fact}", told, source, StoreFacts.model_fields[fact].description or "")


def _build(home: Path, environment: dict[str, str], file: dict[str, Any]) -> Settings:
    wrong = [
        _suggest(name, "the environment", PREFIX) for name in environment if name not in Settings.model_fields
    ]
    wrong += [_suggest(name, "holdfast.toml", "") for name in file if name not in Settings.model_fields]
    if wrong or "home" in environment or "home" in file:
        raise Refused("; ".join(wrong) or "home is not a setting: use --home or HOLDFAST_HOME")
    try:
        return Settings(home=home, **{**file, **environment})
    except ValidationError as error:
        told = "; ".join(
            f"{PREFIX}{'.'.join(str(part) for part in each['loc']).upper()}: {each['msg']}"
            for each in error.errors()
        )
        raise Refused(told, hint="see `holdfast config` and docs/settings.md") from None


def _suggest(name: str, where: str, prefix: str) -> str:
    near = difflib.get_close_matches(name, Settings.model_fields, 1)
    shown = (prefix + name).upper() if prefix else name
    hint = f"; did you mean {(prefix + near[0]).upper() if prefix else near[0]}?" if near else ""
    return f"{shown} in {where} is not a setting{hint}"


def _environment() -> dict[str, str]:
    return {
        key.removeprefix(PREFIX).lower(): value
        for key, value in os.environ.items()
        if key.startswith(PREFIX) and key not in NOT_SETTINGS and not key.startswith(f"{PREFIX}TEST_")
    }


def _toml(home: Path) -> dict[str, Any]:
    file = home / "holdfast.toml"
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"{file} is not valid TOML: {error}") from None
