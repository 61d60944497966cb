"""What the doors (web pages, API, harvesters) ask of the catalogue beyond the ledger; parts of `port`."""

from typing import Protocol

from packages.ledger import SignIn, SignInKind, Token


class SignInReading(Protocol):
    """Tells who a browser or a program is; it hands out hashes and never a secret, and changes nothing."""

    def sign_in(self, digest: str, kind: SignInKind) -> SignIn | None:
        """Return the link or session whose secret has this hash, expired though it may be."""
        ...

    def token(self, token_id: str) -> Token | None:
        """Return a token by id, revoked or expired though it may be."""
        ...


class SignInWriting(Protocol):
    """Changes who may come in by a browser; each change is part of the session's one transaction."""

    def add_sign_in(self, sign_in: SignIn) -> None:
        """Add a link or a session, and forget those that ended before it was created. Raises Conflict."""
        ...

    def take_sign_in(self, digest: str, kind: SignInKind) -> SignIn | None:
        """Remove the link or session and return it; of two who ask at once, one gets it."""
        ...
