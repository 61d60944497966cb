"""Sign in: whom a program's token, a browser's session or a one-time link stands for.

Secrets are 256 random bits and kept as hashes only. A session that was opened with an API token ends with it.
"""

import hashlib
import secrets
from dataclasses import dataclass

from packages.errors import Refused
from packages.ledger import Person, SignIn, SignInKind, Token
from packages.model import Actor, later, now
from packages.policies import SESSION_SECONDS, SIGN_IN_LINK_SECONDS
from services.administration.people import hash_secret
from services.archive import Archive
from storage.catalogue.port import ReadSession, WriteSession


@dataclass(frozen=True, slots=True)
class Session:
    """A browser's session, just opened: the cookie's `secret`, shown once, its end and its person."""

    secret: str
    expires: str
    actor: Actor


def link_secret(archive: Archive, actor: Actor) -> str:
    """Return the secret of a new link that signs `actor` in: once, within `SIGN_IN_LINK_SECONDS`."""
    secret = secrets.token_urlsafe(32)
    created = now()
    with archive.catalogue.write() as unit:
        unit.add_sign_in(
            SignIn(
                hash_secret(secret), SignInKind.LINK, actor.id, created, later(SIGN_IN_LINK_SECONDS, created)
            )
        )
    return secret


def open_by_link(archive: Archive, secret: str) -> Session:
    """Open a session with a one-time link. Raises Refused for one that was used, has ended or never was."""
    with archive.catalogue.write() as unit:
        link = unit.take_sign_in(hash_secret(secret), SignInKind.LINK)
        person = unit.person(link.person_id) if link and link.expires > now() else None
        if person is None:
            raise Refused(
                "this sign-in link has been used or has ended",
                hint="sign in with a token, or ask for a new link",
            )
        return _open(unit, person, None)


def open_by_token(archive: Archive, secret: str) -> Session:
    """Open a session with an API token. Raises Refused for one that is not valid."""
    with archive.catalogue.write() as unit:
        token = _valid(unit.token_by_hash(hash_secret(secret)))
        person = unit.person(token.person_id) if token else None
        if token is None or person is None:
            raise Refused(
                "this token is not valid", hint="it may be misspelt, revoked or past its end: ask for another"
            )
        return _open(unit, person, token)


def actor_of_token(archive: Archive, secret: str) -> Actor | None:
    """Return whom an API token stands for, or None for one that is not valid."""
    with archive.catalogue.read() as view:
        token = _valid(view.token_by_hash(hash_secret(secret)))
        return None if token is None else _actor(view, token.person_id)


def actor_of_session(archive: Archive, secret: str) -> Actor | None:
    """Return whose session a cookie is, or None when it has ended."""
    with archive.catalogue.read() as view:
        session = view.sign_in(hash_secret(secret), SignInKind.SESSION)
        if session is None or session.expires <= now():
            return None
        if session.token_id is not None and _valid(view.token(session.token_id)) is None:
            return None
        return _actor(view, session.person_id)


def close_session(archive: Archive, secret: str) -> None:
    """End a session; again is a no-op."""
    with archive.catalogue.write() as unit:
        unit.take_sign_in(hash_secret(secret), SignInKind.SESSION)


def form_token(secret: str) -> str:
    """Return what forms of a session carry, so that no other site can send one (CSRF)."""
    return hashlib.sha256(b"form:" + secret.encode()).hexdigest()


def _open(unit: WriteSession, person: Person, token: Token | None) -> Session:
    secret, created = secrets.token_urlsafe(32), now()
    expires = later(SESSION_SECONDS, created)
    if token is not None and token.expires is not None:
        expires = min(expires, token.expires)
    session = SignIn(
        hash_secret(secret), SignInKind.SESSION, person.id, created, expires, token.id if token else None
    )
    unit.add_sign_in(session)
    return Session(secret, expires, person.as_actor())


def _actor(view: ReadSession, person_id: str) -> Actor | None:
    person = view.person(person_id)
    return None if person is None else person.as_actor()


def _valid(token: Token | None) -> Token | None:
    """Return the token unless it was revoked, is suspended, or has ended."""
    if token is None or token.revoked is not None or token.suspended is not None:
        return None
    return None if token.expires is not None and token.expires <= now() else token
