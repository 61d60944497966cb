"""A deletion takes two people: who may approve what somebody else has asked for.

Not the one who asked, whichever of their tokens they come with, nor somebody of the same name; nor anybody
who made the asker's token, or whose token the asker made, directly or by way of other tokens: who makes a
token has seen its secret, and could be both. Two people who have their tokens from the same administrator are
two people; that administrator is the one to be trusted for it, and gives nobody a second person's token.
"""

from collections.abc import Sequence

from packages.deletions import Deletion
from packages.errors import Refused
from packages.ledger import Token
from packages.model import Actor, now
from services.administration.people import local_person
from services.archive import Archive
from storage.catalogue.port import ReadSession

SECOND_PERSON = (
    "a deletion takes two people, neither of whom made the other's token, and there is nobody else yet: "
    "`holdfast token create --name NAME --role archivist` for each of two archivists; then one asks and the "
    "other approves, on the Deletions page, over /api/deletions, or with `--token-file FILE`"
)
ANOTHER = (
    "another archivist approves it on the Deletions page, over /api/deletions, or by "
    "`holdfast deletion approve ID --token-file FILE`"
)


def require_second(view: ReadSession, deletion: Deletion, actor: Actor) -> None:
    """Raise Refused unless `actor` is another person than the one who asked for the deletion."""
    tokens = view.tokens()
    hint = ANOTHER if _others(view, tokens, actor) else SECOND_PERSON
    if deletion.requested_by == actor.id:
        told = f"{actor.name} asked for this deletion, so another person has to approve it"
        raise Refused(told, hint=hint)
    if deletion.requested_name.casefold() == actor.name.casefold():
        raise Refused(f"both are called {actor.name}: they may be one person", hint=hint)
    if deletion.requested_by in _makers(tokens, actor.id):
        told = f"{deletion.requested_name}, who asked for this deletion, made the token of {actor.name}"
        raise Refused(f"{told}: they may be one person", hint=hint)
    if actor.id in _makers(tokens, deletion.requested_by):
        told = f"{actor.name} made the token of {deletion.requested_name}, who asked for this deletion"
        raise Refused(f"{told}: they may be one person", hint=hint)


def is_alone(archive: Archive, actor: Actor) -> bool:
    """Tell whether there is nobody who could approve what the actor asks for."""
    with archive.catalogue.read() as view:
        return not _others(view, view.tokens(), actor)


def _others(view: ReadSession, tokens: Sequence[Token], actor: Actor) -> bool:
    """Tell whether somebody else could: whoever has the home, or a valid token of an archivist's."""
    valid = [each for each in tokens if _opens(each) and each.role in {"archivist", "admin"}]
    people = {each.person_id for each in valid}
    if view.person(actor.id) is not None:
        people.add(local_person())
    related = {actor.id, *_makers(tokens, actor.id)}
    return any(each not in related and actor.id not in _makers(tokens, each) for each in people)


def _opens(token: Token) -> bool:
    is_over = token.expires is not None and token.expires <= now()
    return token.revoked is None and token.suspended is None and not is_over


def _makers(tokens: Sequence[Token], person_id: str) -> set[str]:
    """Return who made the person's tokens, who made theirs, and so on."""
    made_by: dict[str, set[str]] = {}
    for each in tokens:
        if each.made_by is not None:
            made_by.setdefault(each.person_id, set()).add(each.made_by)
    found: set[str] = set()
    new = {person_id}
    while new:
        new = {maker for each in new for maker in made_by.get(each, ())} - found - {person_id}
        found |= new
    return found
