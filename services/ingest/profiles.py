"""BagIt profiles that submissions are held to: our own, the archive's further ones, those it asks for."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import schemas
from packages.bagit.profile import check_profile, profiles_named
from packages.bagit.profile_document import LIMIT, identifier_of, parse_profile
from packages.bagit.report import BagReport
from packages.errors import HoldfastError, Invalid, NotFound, Refused
from packages.findings import Finding, finding
from packages.submission import Shape, Submission
from services.settings import Settings

Profile = Mapping[str, Any]


def own_profile() -> Profile:
    """Return the profile of the bags that we make ourselves."""
    profile: Profile = schemas.load("bagit-profile.json")
    return profile


def _own() -> dict[str, Profile]:
    return {identifier_of(own_profile()): own_profile()}


@dataclass(frozen=True, slots=True)
class Profiles:
    """What bags are held to: `known` by identifier, where a bag names it.

    Each bag must follow one of `asked`. `given` is what somebody checks against: every
    submission must follow it.
    """

    known: Mapping[str, Profile] = field(
        default_factory=lambda: {identifier_of(own_profile()): own_profile()}
    )
    asked: tuple[str, ...] = ()
    given: Profile | None = None

    def judge(
        self, submission: Submission, shape: Shape, bag: BagReport | None, serialization: str | None
    ) -> Iterator[Finding]:
        """Yield what breaks the profiles that count for this submission; other than bags follow none."""
        if bag is None:
            if self.given is not None:
                yield finding("profile.no-bag", profile=identifier_of(self.given))
            return
        named, info = profiles_named(bag), f"{shape.root}bag-info.txt"
        if self.asked and not set(self.asked) & set(named):
            yield finding("profile.none-required", info, profiles=", ".join(self.asked))
        held = {each: self.known[each] for each in named if each in self.known}
        if self.given is not None:
            held[identifier_of(self.given)] = self.given
        for profile in held.values():
            yield from check_profile(profile, bag, submission, shape.root, serialization=serialization)
        for each in dict.fromkeys(named):
            if each not in held:
                yield finding("profile.not-checked", info, profile=each)


def archive_profiles(settings: Settings, given: Path | None = None) -> Profiles:
    """Return the profiles of the archive's settings, and the one at `given`.

    Raises Refused for a setting that names no profile, Invalid with findings for a `given` file that is none.
    """
    known = _own()
    for place in _parts(settings.bagit_profiles):
        try:
            profile = read_profile(settings.home / place)
        except HoldfastError as error:
            reasons = "; ".join(each.message for each in error.findings) or error.message
            raise Refused(f"HOLDFAST_BAGIT_PROFILES: {place}: {reasons}") from error
        known[identifier_of(profile)] = profile
    asked = tuple(_parts(settings.bagit_profiles_required))
    if unknown := [each for each in asked if each not in known]:
        raise Refused(
            f"HOLDFAST_BAGIT_PROFILES_REQUIRED names what no profile is called: {', '.join(unknown)}",
            hint=f"name the file in HOLDFAST_BAGIT_PROFILES too; known are {', '.join(known)}",
        )
    return Profiles(known, asked, read_profile(given) if given is not None else None)


def read_profile(place: Path) -> Profile:
    """Return the profile in the file. Raises NotFound, or Invalid with every finding."""
    try:
        with place.open("rb") as stream:
            return parse_profile(stream.read(LIMIT + 1), place.name)
    except FileNotFoundError as error:
        raise NotFound(f"there is no {place}", hint="check the path of the BagIt profile") from error
    except OSError as error:
        raise Invalid(f"{place} cannot be read: {error.strerror}") from error


def _parts(setting: str) -> Iterable[str]:
    return filter(None, (each.strip() for each in setting.split(",")))
