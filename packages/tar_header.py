"""Headers of TAR members whose size is known only once they are written (POSIX.1-2001, pax).

A header goes out with a blank size and is patched afterwards in place; sizes of 8 GiB and more are written in
binary, as GNU tar and everybody since does.
"""

import tarfile

BLOCK = 512
END = bytes(2 * BLOCK)
_SIZE = slice(124, 136)
_CHECKSUM = slice(148, 156)


def member_header(path: str) -> bytes:
    """Return the header of a regular file called `path`; its last block is for `with_size`.

    A name that was not UTF-8 (lone surrogates, as ``surrogateescape`` makes them) keeps its bytes.
    """
    member = tarfile.TarInfo(path)
    member.mode = 0o644
    return member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def with_size(block: bytes, size: int) -> bytes:
    """Return the last block of a header with the member's size in it."""
    patched = bytearray(block)
    octal = f"{size:011o}\0".encode()
    patched[_SIZE] = octal if len(octal) == 12 else b"\x80" + size.to_bytes(11, "big")
    patched[_CHECKSUM] = b" " * 8
    patched[_CHECKSUM] = f"{sum(patched):06o}\0 ".encode()
    return bytes(patched)


def padding(size: int) -> bytes:
    """Return what follows a member of `size` bytes up to the next block."""
    return bytes(-size % BLOCK)
