"""Deposits that come as a stream of bytes: from the first byte to the job that takes them in.

An upload is staged, made durable, and entered in the ledger together with the client's idempotency key, in
one transaction; only then it is acknowledged. Whatever goes wrong before leaves nothing.
"""

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import orjson

from packages.errors import Conflict, HoldfastError, Invalid, NotFound, Refused, Unavailable
from packages.ledger import IdempotencyKey, JobState
from packages.model import Actor
from services.administration.people import require_depositor
from services.archive import Archive
from services.data_management.views import readable
from services.ingest.checking import Beside, Checked, check
from services.ingest.fetching import allowed_places
from services.ingest.profiles import archive_profiles
from services.ingest.submission import UNNAMED, Terms, enter
from storage.sources import is_archive
from storage.tar_members import TarMembers
from storage.uploads import Upload as Staged

HASHES = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
"""The digests of a body that are compared, by their names in RFC 9530."""
_ASK_FOR_SPACE_EVERY = 256 << 20
_HEAD = 512
_NAME_LENGTH = 1000


class TooLarge(Refused):
    """More bytes than the archive takes in one submission."""


@dataclass(frozen=True, slots=True)
class Entered:
    """A deposit that is in the ledger; `is_new` is False where the same request had entered it before."""

    package_id: str
    job_id: str
    is_new: bool


class Upload:
    """One submission on its way in: an archive as it is, or files that become the members of one TAR.

    Tell it of every byte of the request by `count`; then `write` the content, or `begin_file`, `write` and
    `end_file` for each file; then `finish`. `announced` is the length that was announced, `digests` names
    what to compute of the body; with `keyed` it also tells two bodies apart, by `identity`. Raises TooLarge
    and Unavailable (no space) as soon as that is known. `discard` may be called at any time, and twice.
    """

    def __init__(
        self,
        archive: Archive,
        actor: Actor,
        *,
        announced: int | None = None,
        digests: Iterable[str] = (),
        keyed: bool = False,
    ) -> None:
        require_depositor(actor)
        self._archive = archive
        self._announced = announced
        self._require_room(announced or 0)
        self._body = {name: HASHES[name]() for name in digests}
        self._content = hashlib.sha256() if keyed else None
        self._staged = Staged(archive.staging)
        self._counted = 0
        self._ask_at = _ASK_FOR_SPACE_EVERY
        self._names: list[str] = []
        self._head: bytearray | None = None  # the beginning of a first file, until it is known what it is
        self._members: TarMembers | None = None  # files that came singly
        self._top: str | None = None
        self._is_taken = False

    @property
    def name(self) -> str:
        """What the submission is called by the names of its files; empty where nothing says."""
        if len(self._names) == 1:
            return self._names[0].rpartition("/")[2]
        return self._top or ""

    @property
    def is_made(self) -> bool:
        """Whether the archive is one that was made here, from files that came singly."""
        return self._members is not None

    @property
    def is_empty(self) -> bool:
        """Whether nothing came."""
        return not self._staged.size

    @property
    def identity(self) -> str:
        """The SHA-256 of what was written, and of the names of files: empty unless it is keyed."""
        return self._content.hexdigest() if self._content else ""

    def count(self, data: bytes) -> None:
        """Take note of the next bytes of the request's body, whatever they are."""
        self._counted += len(data)
        if self._counted > self._archive.settings.max_bytes:
            raise _too_large(self._archive)
        taken = max(self._counted, self._staged.size)  # many small files take more than what came
        if taken > self._ask_at:
            self._require_room(0)
            self._ask_at = taken + _ASK_FOR_SPACE_EVERY
        for digest in self._body.values():
            digest.update(data)

    def write(self, data: bytes | memoryview) -> None:
        """Take the next bytes of the content, or of the file that was begun."""
        if self._content is not None:
            self._content.update(data)
        if self._head is not None:
            self._head += data
            if len(self._head) >= _HEAD:
                self._settle_first()
            return
        self._staged.write(data)

    def begin_file(self, name: str) -> None:
        """Begin a file of a form; its name is the depositor's, is data, and is kept as it is."""
        if self._content is not None:
            self._content.update(b"\0file\0" + name.encode("utf-8", "surrogateescape") + b"\0")
        self._names = [*self._names[:1], name]
        if len(self._names) == 1:
            self._top = name.partition("/")[0] if "/" in name else None
            self._head = bytearray()
            return
        if self._top is not None and name.partition("/")[0] != self._top:
            self._top = None
        if self._members is None:
            self._members = self._become_tar()
        self._members.begin(name)

    def end_file(self) -> None:
        """End the file that was begun."""
        if self._head is not None:
            self._settle_first()
        if self._content is not None:
            self._content.update(b"\0end\0")
        if self._members is not None:
            self._members.end()

    def finish(self, expected: Mapping[str, bytes]) -> None:
        """Make all of it durable. Raises Invalid where the body is not what `expected` says, or is cut."""
        if self._announced is not None and self._counted != self._announced:
            raise Invalid(
                f"{self._announced} bytes were announced and {self._counted} came",
                hint="nothing was kept; send it again",
            )
        for name, digest in expected.items():
            found = self._body[name].digest()
            if found != digest:
                raise Invalid(
                    f"the body is not what its {name} says: {digest.hex()} was announced, {found.hex()} came",
                    hint="nothing was kept; send it again",
                )
        if self._members is not None:
            self._members.finish()
        self._staged.finish()

    def discard(self) -> None:
        """Remove what was staged."""
        self._staged.discard()

    def taken(self) -> Staged:
        """Return the file in staging, which is the caller's to hand over or discard from now on."""
        self._is_taken = True
        return self._staged

    def discard_unless_taken(self) -> None:
        """Remove what was staged, unless somebody has taken it over."""
        if not self._is_taken:
            self._staged.discard()

    def _settle_first(self) -> None:
        """Decide what a form's first file is: an archive, or one of the files to put into one."""
        head, self._head = bytes(self._head or b""), None
        name = self._names[0]
        if "/" in name or not is_archive(head, name):
            self._members = TarMembers(self._staged)
            self._members.begin(name)
        self._staged.write(head)

    def _become_tar(self) -> TarMembers:
        """Put the archive that was the only file so far into a TAR, as more files come with it."""
        first, self._staged = self._staged, Staged(self._archive.staging)
        members = TarMembers(self._staged)
        try:
            members.begin(self._names[0])
            first.finish()
            with first.path.open("rb") as stream:
                while data := stream.read(1 << 20):
                    self._staged.write(data)
            members.end()
        except OSError as error:
            raise Unavailable(f"the upload cannot be read: {error.strerror}") from error
        finally:
            first.discard()
        return members

    def _require_room(self, size: int) -> None:
        if size > self._archive.settings.max_bytes:
            raise _too_large(self._archive)
        reserve = self._archive.settings.reserve_bytes
        self._archive.staging.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        free = self._archive.staging.free_bytes()
        if size + reserve > free:
            raise Unavailable(
                f"no space: {size:,} bytes are to be received and {reserve:,} kept free, {free:,} are there",
                hint="try again later; nothing was kept",
            )


def deposit(
    archive: Archive, actor: Actor, upload: Upload, terms: Terms, *, name: str = "", key: str | None = None
) -> Entered:
    """Enter a finished upload in the ledger, as a package with its ingest job, and return it.

    From the return on it is acknowledged: bytes and rows are durable. The upload belongs to the job then; in
    every other case it is discarded. `name` is shown only. With a `key` that the actor has used for the same
    before, the package of that time is returned; for another body Invalid is raised.
    """
    shown, staged = _shown(name or upload.name), upload.taken()
    body = f"{upload.identity}-{_terms_digest(terms, shown)}"
    job_id = str(uuid.uuid4())
    called = f"{shown}.tar" if upload.is_made else shown
    try:
        if key is not None and (known := earlier(archive, actor, key, body)) is not None:
            staged.discard()
            return known
        staged.hand_over(archive.staging.workspace(job_id))
        with archive.catalogue.write() as unit:
            job = enter(unit, actor, terms, name=shown, job_id=job_id, upload=called, is_made=upload.is_made)
            if key is not None:
                unit.add_idempotency_key(IdempotencyKey(actor.id, key, body, job.package_id, job.created))
    except BaseException as error:
        if job_is_absent(archive, job_id):
            staged.discard()
            archive.staging.discard(job_id)
        if isinstance(error, Conflict) and key is not None:  # somebody else was faster with this key
            known = earlier(archive, actor, key, body)
            if known is not None:
                return known
        raise
    finally:
        staged.close()
    return Entered(job.package_id, job_id, is_new=True)


def earlier(archive: Archive, actor: Actor, key: str, body: str) -> Entered | None:
    """Return what the actor's idempotency key led to. Raises Invalid where it came with another body."""
    with archive.catalogue.read() as view:
        known = view.idempotency_key(actor.id, key)
        if known is None:
            return None
        if known.body != body:
            raise Invalid(
                "this Idempotency-Key has been used with another deposit",
                hint="use a new key for each deposit, and the same one to repeat it",
            )
        job = view.latest_job(known.package_id)
    return Entered(known.package_id, job.id if job else "", is_new=False)


def check_upload(archive: Archive, upload: Upload, terms: Terms, *, name: str = "") -> Checked:
    """Validate a finished upload as an ingest would; neither it nor anything made from it is kept."""
    shown, staged = _shown(name or upload.name), upload.taken()
    try:
        return check(
            staged.path,
            limits=archive.limits,
            profiles=archive_profiles(archive.settings),
            fetch_from=allowed_places(archive.settings),
            scratch=archive.staging.root,
            beside=Beside(
                name=f"{shown}.tar" if upload.is_made else shown,
                record=terms.record,
                title=terms.title,
                is_made=upload.is_made,
            ),
        )
    finally:
        staged.discard()


def is_settled(archive: Archive, actor: Actor, package_id: str) -> bool:
    """Tell whether there is a verdict: the package's work has ended, or waits for a person."""
    with archive.catalogue.read() as view:
        job = view.latest_job(readable(view, actor, package_id).id)
    return job is None or not job.is_open or job.state is JobState.WAITING


def job_is_absent(archive: Archive, job_id: str) -> bool:
    """Tell whether the ledger surely has no such job: an error may have come after the commit."""
    try:
        with archive.catalogue.read() as view:
            view.job(job_id)
    except NotFound:
        return True
    except HoldfastError:
        return False
    return False


def _shown(name: str) -> str:
    """Return a name as it is shown: without what no ledger keeps, not endless, never empty."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "")
    return text.strip()[:_NAME_LENGTH] or UNNAMED


def _terms_digest(terms: Terms, name: str) -> str:
    record = hashlib.sha256(terms.record).hexdigest() if terms.record is not None else None
    said = [name, terms.title, terms.corrects, terms.new, record]
    return hashlib.sha256(orjson.dumps(said)).hexdigest()


def _too_large(archive: Archive) -> TooLarge:
    return TooLarge(
        f"a submission may have {archive.settings.max_bytes:,} bytes at most", hint="deposit it in parts"
    )
