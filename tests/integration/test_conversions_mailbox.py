"""Mailboxes of Outlook: MBOX and vCards by readpst, kept only if every item that it wrote is in them."""

import mailbox
import os
import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from packages.format_policy import Kind, Outcome, default_policy
from packages.model import FileEntry
from services.preservation_planning.derivatives import Derivative, Judges, derivatives
from tests.support import personal_folders as pst
from tests.support.limits import USUAL
from tools.characterise import Characteriser
from tools.normalise import Normaliser, readpst
from tools.pronom import PronomIdentifier
from tools.runs import Job, Ran
from tools.sandbox import Sandbox
from tools.validity import Table, Validator

BOX = {
    "In/Tray": [pst.mail("Pegel", "Hoch um zwölf.\r\nFrom the pier\r\n")] * 2,
    "In:Tray": [pst.mail("Wind", "West.\r\n")],  # to readpst another of that name
    "Sent Items": [pst.mail("Re: Pegel", "Grüße\r\n")],
    "Contacts": [{pst.CLASS: "IPM.Contact", pst.NAME: "Bo Berg", pst.GIVEN_NAME: "Bo"}],
    "Settings": [{pst.CLASS: "IPM.Configuration"}],
}


@pytest.fixture
def box(tmp_path: Path) -> Path:
    if shutil.which("readpst") is None:
        message = "readpst is absent"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return pst.write_pst(tmp_path / "box.pst", BOX)


def converted(source: Path) -> list[Derivative]:
    """Return what our policy has made of `source`, judged."""
    out = source.parent / "out"
    with Normaliser() as normaliser, PronomIdentifier() as identifier, Characteriser() as characteriser:
        for tool in (normaliser, identifier, characteriser):
            tool.let_read(source.parent)
        judges = Judges(normaliser, identifier, characteriser, Validator(Table("none", 1, 1, ())))
        [match] = identifier.identify([source])
        [told] = characteriser.characterise_many([(source, match.mime)])
        assert told.properties == {"mailbox_form": "Unicode", "mailbox_encoding": "none"}
        entry = FileEntry("data/original/box.pst", "", source.stat().st_size, "", 0, puid=match.puid)
        [(_, made)] = derivatives([(entry, source)], out, default_policy(), judges, USUAL)
        return [each for each in made if each.made.kind is Kind.PRESERVATION]


def test_a_mailbox_keeps_its_folders_and_says_what_it_leaves_out(box: Path) -> None:
    contacts, inbox, other, sent = converted(box)
    assert contacts.made.message == (
        "1 item of other kinds left out; folders 1: Mailbox/Contacts (1 item), "
        "2: Mailbox/In_Tray (2 items), 3: Mailbox/In_Tray (1 item), 4: Mailbox/Sent Items (1 item)"
    )
    assert [each.entry and each.entry.puid for each in (contacts, inbox, other, sent)] == [
        "fmt/1880", "fmt/720", "fmt/720", "fmt/720",
    ]  # fmt: skip  # fewer lines read better
    assert contacts.entry is not None
    assert contacts.entry.path == "data/preservation/box.pst/box.pst.1.vcf"
    assert [(each.name, each.before, each.is_same) for each in inbox.checks] == [("items", 5, True)]
    assert inbox.made.file is not None
    with closing(mailbox.mbox(inbox.made.file)) as opened:
        messages = list(opened)
    assert [each["Subject"] for each in messages] == ["Pegel", "Pegel"]
    (text,) = (part for part in messages[0].walk() if not part.is_multipart())
    said = text.get_payload(decode=True)
    assert isinstance(said, bytes)
    assert said.decode().splitlines()[:2] == ["Hoch um zwölf.", ">From the pier"]


def test_a_message_that_is_not_in_the_copy_refuses_it(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Sandbox.run

    def losing(self: Sandbox, command: Sequence[str | Path], jobs: Sequence[Job], **more: Any) -> Ran:
        ran = run(self, command, jobs, **more)
        for file in self.folder.glob("out/*/In_Tray/mbox"):
            file.write_bytes(file.read_bytes().replace(b"\nFrom ", b"\nfrom "))
        return ran

    monkeypatch.setattr(Sandbox, "run", losing)
    assert {(each.made.outcome, each.made.message) for each in converted(box)} == {
        (Outcome.DIFFERS, "items: 5 became 4")
    }


def test_what_a_taken_over_program_leaves_is_neither_followed_nor_waited_for(tmp_path: Path) -> None:
    """A link among its files, a pipe, a link where a card is to be written, and one for its folder."""
    out, own = tmp_path / "out", tmp_path / "own"
    (out / "A").mkdir(parents=True)
    own.write_bytes(b"From a\n")
    (out / "mbox").symlink_to(own)
    os.mkfifo(out / "A" / "mbox")
    (out / "contacts").write_bytes(b"BEGIN:VCARD\nNOTE:x\nEND:VCARD\n")
    [left] = readpst._written(out)
    assert left.path == out / "contacts"
    (target := tmp_path / "1.vcf").symlink_to(own)
    with pytest.raises(FileExistsError):
        readpst._vcards(left.path, target)
    assert own.read_bytes() == b"From a\n"
    (tmp_path / "link").symlink_to(out)
    assert list(readpst._written(tmp_path / "link")) == []


def test_cards_are_written_anew_line_by_line_however_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "contacts").write_bytes(b"BEGIN:VCARD\nNOTE:of 12345\n\nVERSION: 3.0\nEND:VCARD\n\n")
    for number, size in enumerate((1 << 20, 13, 14)):
        monkeypatch.setattr(readpst, "CHUNK", size)
        readpst._vcards(tmp_path / "contacts", tmp_path / f"{number}.vcf")
        assert (tmp_path / f"{number}.vcf").read_bytes() == (
            b"BEGIN:VCARD\r\nVERSION:3.0\r\nNOTE:of 12345\r\nEND:VCARD\r\n"
        )


def test_a_mailbox_that_is_cut_is_left_as_it_is(box: Path) -> None:
    box.write_bytes(box.read_bytes()[:1500])
    (made,) = converted(box)
    assert (made.made.outcome, made.entry) == (Outcome.FAILED, None)
    assert made.made.message.startswith("readpst ended with status 1")
