"""Which index of an OpenSearch server is searched, and which is being built.

Every index of ours is called PREFIX.NUMBER. The alias PREFIX means the one that is searched, and
PREFIX.building the one that a rebuild fills. Aliases change and an index goes in one step of the server,
so nobody ever sees none, or two.
"""

import secrets
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import schemas
from packages import analysis
from packages.errors import Conflict, Refused
from packages.query import mapping
from storage.search.errors import LostIndex, OtherVersion
from storage.search.opensearch_server import WRITING, SearchServer

VERSION = 1
"""Goes up with schemas/search-opensearch.json: an index of another version has to be rebuilt."""

_FIRST = "first"  # a name of its own, so that only one of several beginners makes it


class Generations:
    """The indices of one archive; `may_begin` is asked where there should be one and is none."""

    def __init__(self, server: SearchServer, may_begin: Callable[[], bool]) -> None:
        self._server = server
        self._may_begin = may_begin
        self._name = server.prefix
        self.active = server.prefix
        self.building = f"{server.prefix}.building"

    def searched(self) -> str:
        """Return the name of the index that is searched; begins an empty one where there may be none yet.

        Raises LostIndex, or OtherVersion when it holds the terms of another version of this program.
        """
        return self._current()[self.active][0]

    def written(self) -> list[str]:
        """Return the aliases that are written to, that of a rebuild first.

        In this order nothing is lost to a change-over between the two. Raises what `searched` does.
        """
        has_building = self._current().get(self.building, ("", False))[1]
        return [self.building, self.active] if has_building else [self.active]

    def start(self) -> str:
        """Make a new index for a rebuild, which takes over from any other, and return its name.

        Raises Conflict when another one has taken over meanwhile.
        """
        self._found()  # refuses what is not ours
        name = f"{self._name}.{secrets.token_hex(6)}"
        self._create(name, {})
        ours = {"index": f"{self._name}.*", "alias": self.building, "must_exist": False}
        actions = [{"remove": ours}, {"add": {"index": name, "alias": self.building}}]
        try:
            with self._server.asking() as client:
                client.indices.update_aliases(body={"actions": actions}, params=WRITING)
        except LostIndex:  # swept away by another rebuild, before it had its alias
            raise _overtaken() from None
        self._sweep()
        return name

    def check_building(self, name: str) -> None:
        """Raise Conflict unless the index `name` is still the one that is being built."""
        if self._found().get(self.building, ("", False))[0] != name:
            raise _overtaken()

    def change_over(self, name: str) -> None:
        """Have the index `name` searched from now on, and drop the one before; Conflict when overtaken."""
        actions: list[dict[str, Any]] = [
            {"remove": {"index": name, "alias": self.building, "must_exist": True}},
            {"add": {"index": name, "alias": self.active}},
        ]
        if (before := self._found().get(self.active)) is not None:
            actions.insert(1, {"remove_index": {"index": before[0]}})
        try:
            with self._server.asking() as client:
                client.indices.refresh(index=name, params=WRITING)
                client.indices.update_aliases(body={"actions": actions}, params=WRITING)
        except LostIndex:  # one of the names is no longer what it was
            raise _overtaken() from None
        self._sweep()

    def _current(self) -> dict[str, tuple[str, bool]]:
        found = self._found()
        if self.active not in found and self._may_begin():
            self._begin()
            found = self._found()
        if self.active not in found:
            raise self._server.lost()
        if not found[self.active][1]:
            raise OtherVersion
        return found

    def _begin(self) -> None:
        try:
            self._create(f"{self._name}.{_FIRST}", {self.active: {}})
        except Conflict:
            return  # somebody else has just begun

    def _create(self, name: str, aliases: dict[str, Any]) -> None:
        body = deepcopy(schemas.load("search-opensearch.json"))
        body.pop("$comment")
        body["mappings"]["_meta"] = _versions()
        body["aliases"] = aliases
        with self._server.asking() as client:
            client.indices.create(index=name, body=body, params=WRITING)

    def _found(self) -> dict[str, tuple[str, bool]]:
        """Return by alias the name of the index that it means, and whether that is of this version."""
        with self._server.asking() as client:
            told = client.indices.get(
                index=f"{self.active},{self.building}",
                ignore_unavailable=True,
                filter_path="*.aliases,*.mappings._meta",
            )
        found: dict[str, tuple[str, bool]] = {}
        for name, facts in told.items():
            meta = facts.get("mappings", {}).get("_meta", {})
            if not (name.startswith(f"{self._name}.") and _is_ours(meta)):  # a rebuild would delete it
                raise Refused(
                    f"The name {self._name} is taken on the search server, by {name}, which is not ours.",
                    hint="Choose another prefix in HOLDFAST_SEARCH_URL.",
                )
            found |= dict.fromkeys(facts.get("aliases", {}), (name, meta == _versions()))
        return found

    def _sweep(self) -> None:
        """Delete indices of ours that nobody searches or builds any more: rebuilds that died left them."""
        with self._server.asking() as client:
            told = client.indices.get(index=f"{self._name}.*", filter_path="*.aliases,*.mappings._meta")
            for name, facts in told.items():
                if _is_ours(facts.get("mappings", {}).get("_meta", {})) and not facts.get("aliases"):
                    client.indices.delete(index=name, ignore_unavailable=True)


def _versions() -> dict[str, int]:
    return {"holdfast": VERSION, "analysis": analysis.VERSION, "mapping": mapping()["version"]}


def _is_ours(meta: Mapping[str, Any]) -> bool:
    """Tell by what an index says of itself whether Holdfast made it: others may use names like ours."""
    return "holdfast" in meta


def _overtaken() -> Conflict:
    return Conflict(
        "Another rebuild of the search index has taken over.", hint="Nothing is to be done: wait for it."
    )
