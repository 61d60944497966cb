"""Files that come one after the other, as the members of one TAR that is written while they come."""

from packages.tar_header import BLOCK, END, member_header, padding, with_size
from storage.uploads import Upload


class TarMembers:
    """Writes members to an upload: `begin` one, write its content to the upload, `end` it; then `finish`.

    How long a file is nobody knows before its end: its header is written with a blank, which is filled in
    afterwards. Raises Unavailable where the disk does not take it.
    """

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._open: tuple[int, bytes] | None = None  # where the member's header ends, and its last block

    def begin(self, name: str) -> None:
        """Begin a file; its name is the depositor's, is data, and is kept as it is."""
        header = member_header(name)
        self._upload.write(header)
        self._open = self._upload.size, header[-BLOCK:]

    def end(self) -> None:
        """End the file that was begun, if one was."""
        if self._open is None:
            return
        (start, block), self._open = self._open, None
        size = self._upload.size - start
        self._upload.write(padding(size))
        self._upload.patch(start - BLOCK, with_size(block, size))

    def finish(self) -> None:
        """End the archive."""
        self._upload.write(END)
