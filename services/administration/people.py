"""Who acts: the operating system's user on the command line, and what each role may do."""

import hashlib
import os
import pwd
import secrets
from collections.abc import Sequence
from typing import Any

from packages.errors import Conflict, NotFound, Refused
from packages.ledger import Person, Token
from packages.model import Actor, now
from services.archive import Archive
from storage.catalogue.port import ReadSession

ROLES = ("depositor", "archivist", "admin")
TOKEN_PREFIX = "hft_"  # noqa: S105  # tells secret scanners what they have found; no secret itself


def local_actor(archive: Archive) -> Actor:
    """Return the operating system's user as administrator of the home that belongs to them."""
    name = os_user()
    with archive.catalogue.read() as view:
        known = view.person_of_os_user(name)
    if known is None:
        known = Person(local_person(), name, frozenset({"admin"}), now(), os_user=name)
        with archive.catalogue.write() as unit:
            unit.add_person(known)
    return known.as_actor()


def require_depositor(actor: Actor) -> None:
    """Raise Refused unless the actor may deposit."""
    if not actor.roles & set(ROLES):
        raise Refused(f"{actor.name} may not deposit", hint="ask an administrator for the role of depositor")


def require_archivist(actor: Actor, what: str) -> None:
    """Raise Refused unless the actor may do `what`, an archivist's work."""
    if not actor.is_archivist:
        raise Refused(f"{actor.name} may not {what}", hint="ask an archivist")


def require_administrator(actor: Actor, what: str) -> None:
    """Raise Refused unless the actor may do `what`, which changes the archive itself."""
    if "admin" not in actor.roles:
        raise Refused(f"{actor.name} may not {what}", hint="ask an administrator")


def create_token(
    archive: Archive, actor: Actor, *, name: str, role: str, expires: str | None, person: str | None = None
) -> tuple[Token, str]:
    """Make an API token and return it with its secret, which is shown once and kept only as a hash.

    It stands for a person of its own, called `name`, with the one `role`; or, as a further token, for the
    `person` for whom another one stands already (the person's id, or that token's id or unique name). Raises
    Refused for an unknown role or another one than the person's, an end that is past, or an actor who is no
    administrator; NotFound or Conflict where it is not one person.
    """
    require_administrator(actor, "make tokens")
    if role not in ROLES:
        raise Refused(f"{role} is not a role", hint=f"one of {', '.join(ROLES)}")
    if expires is not None and expires <= now():
        raise Refused(f"{expires} is past", hint="name a time to come")
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    digest = hash_secret(secret)
    with archive.catalogue.write() as unit:
        if person is None:
            bearer = Person(f"token:{digest[:16]}", name, frozenset({role}), now())
            unit.add_person(bearer)
        else:
            bearer = _bearer(unit, person)
        if bearer.roles != {role}:
            said = ", ".join(sorted(bearer.roles))
            raise Refused(f"{bearer.name} is {said}: a further token has the same role", hint=f"say {said}")
        token = Token(digest[:16], bearer.id, name, role, digest, now(), expires, made_by=actor.id)
        unit.add_token(token)
    return token, secret


def _bearer(view: ReadSession, reference: str) -> Person:
    """Return the one person whom a reference to a token, or to themselves, means."""
    ids = {each.person_id for each in view.tokens() if reference in {each.id, each.name, each.person_id}}
    if not ids:
        raise NotFound(f"no token of {reference} is known", hint="`holdfast token list` shows all")
    if len(ids) > 1:
        raise Conflict(f"{len(ids)} people have a token called {reference}", hint="name a token by its id")
    found = view.person(ids.pop())
    if found is None:
        raise NotFound(f"{reference} is nobody")
    return found


def list_tokens(archive: Archive, actor: Actor) -> Sequence[Token]:
    """Return all tokens, revoked and expired ones too."""
    require_archivist(actor, "see tokens")
    with archive.catalogue.read() as view:
        return view.tokens()


def bearers(archive: Archive, actor: Actor) -> dict[str, Person]:
    """Return those for whom tokens stand, by their ids, in the order of their first tokens."""
    require_archivist(actor, "see tokens")
    with archive.catalogue.read() as view:
        found = (view.person(each) for each in dict.fromkeys(token.person_id for token in view.tokens()))
        return {each.id: each for each in found if each is not None}


def revoke_token(archive: Archive, actor: Actor, token: str) -> None:
    """Revoke a token by id or unique name; again is a no-op."""
    require_administrator(actor, "revoke tokens")
    with archive.catalogue.write() as unit:
        unit.revoke_token(token, now())


def confirm_tokens(archive: Archive, actor: Actor, tokens: Sequence[str]) -> list[Token]:
    """Let tokens open again that a restore has suspended, by id or unique name; all, if none is named.

    Return those that it was done for. One that was revoked, or has ended, stays shut.
    """
    require_administrator(actor, "confirm tokens")
    with archive.catalogue.write() as unit:
        before = {each.id: each for each in unit.tokens() if each.suspended is not None}
        for each in tokens or before:
            unit.confirm_token(each)
        return [before[each.id] for each in unit.tokens() if each.id in before and each.suspended is None]


def token_json(token: Token) -> dict[str, Any]:
    """Return a token as JSON, without what is kept of its secret."""
    return {
        "id": token.id,
        "name": token.name,
        "person": token.person_id,
        "role": token.role,
        "state": _state_of(token),
        "created": token.created,
        "expires": token.expires,
        "revoked": token.revoked,
        "made_by": token.made_by,
    }


def _state_of(token: Token) -> str:
    if token.revoked is not None:
        return "revoked"
    if token.expires is not None and token.expires <= now():
        return "expired"
    return "suspended" if token.suspended is not None else "active"


def hash_secret(secret: str) -> str:
    """Return what is kept of a token's secret: 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def local_person() -> str:
    """Return the id of whom the operating system's user is."""
    return f"os:{os_user()}"


def os_user() -> str:
    """Return the user's name as the system has it: who may write LOGNAME could else be two people."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid{os.geteuid()}"
