# ruff: noqa: D102  # the port states what each method owes
"""Links and sessions of browsers; see `door_ports`."""

from typing import Any

from sqlalchemy import Connection, bindparam, delete, select

from packages.ledger import SignIn, SignInKind, Token
from storage.catalogue import tables
from storage.catalogue.prepared import Prepared

sign_ins, tokens = tables.sign_ins, tables.tokens

# Asked with each request.
_SIGN_IN = Prepared(
    select(sign_ins).where(sign_ins.c.hash == bindparam("hash"), sign_ins.c.kind == bindparam("kind"))
)
_TOKEN = Prepared(select(tokens).where(tokens.c.id == bindparam("id")))


def _of(row: Any) -> SignIn:
    return SignIn(row.hash, SignInKind(row.kind), row.person_id, row.created, row.expires, row.token_id)


class Signing:
    """Reads and writes them; those who only read are not given the writing half by their port."""

    _connection: Connection

    def sign_in(self, digest: str, kind: SignInKind) -> SignIn | None:
        row = _SIGN_IN.row(self._connection, {"hash": digest, "kind": kind})
        return _of(row) if row else None

    def token(self, token_id: str) -> Token | None:
        row = _TOKEN.row(self._connection, {"id": token_id})
        return Token(*row) if row else None

    def add_sign_in(self, sign_in: SignIn) -> None:
        self._connection.execute(delete(sign_ins).where(sign_ins.c.expires < sign_in.created))
        values = {each.name: getattr(sign_in, each.name) for each in sign_ins.c}
        self._connection.execute(sign_ins.insert(), values)

    def take_sign_in(self, digest: str, kind: SignInKind) -> SignIn | None:
        chosen = delete(sign_ins).where(sign_ins.c.hash == digest, sign_ins.c.kind == kind)
        row = self._connection.execute(chosen.returning(sign_ins)).one_or_none()
        return _of(row) if row else None
