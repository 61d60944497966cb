"""Writes small mailboxes of Outlook: PST in Unicode, not encrypted ([MS-PST]), as far as libpst reads it."""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

STORE, ROOT, TOP, FOLDERS, MESSAGES = 0x21, 0x122, 0x8022, 0x8042, 0x200024
PAGE, BLOCK = 512, 64
INTEGER, TEXT, TIME, BINARY = 0x0003, 0x001F, 0x0040, 0x0102
CLASS, SUBJECT, SENDER, ADDRESS, SENT, BODY = 0x001A, 0x0037, 0x0042, 0x0065, 0x0039, 0x1000
NAME, GIVEN_NAME, COUNT, IS_VALID, TOP_OF_FOLDERS = 0x3001, 0x3A06, 0x3602, 0x35DF, 0x35E0
Value = int | str | bytes


def mail(subject: str, body: str) -> Mapping[int, Value]:
    """Return what a message says, sent in 2020."""
    who = {SENDER: "Ada", ADDRESS: "ada@example.org"}
    return {CLASS: "IPM.Note", SUBJECT: subject, SENT: 132223104000000000, BODY: body, **who}


def write_pst(path: Path, folders: Mapping[str, Sequence[Mapping[int, Value]]]) -> Path:
    """Write a mailbox of these folders, each with what its items say, by the tag of a property."""
    top = bytes(20) + struct.pack("<I", TOP)
    nodes: list[tuple[int, int, Mapping[int, Value]]] = [
        (STORE, 0, {NAME: "Mailbox", IS_VALID: 0x89, TOP_OF_FOLDERS: top}),
        (ROOT, ROOT, {NAME: "", COUNT: 0}),
        (TOP, ROOT, {NAME: "Top of Personal Folders", COUNT: 0}),
    ]
    number = 0
    for at, (name, items) in enumerate(folders.items()):
        folder = FOLDERS + 0x20 * at
        nodes.append((folder, TOP, {NAME: name, COUNT: len(items)}))
        for item in items:
            nodes.append((MESSAGES + 0x20 * number, folder, item))
            number += 1
    body, by_block, by_node = bytearray(2 * PAGE), list[bytes](), list[bytes]()
    for at, (node, parent, properties) in enumerate(nodes, 1):
        block, heap = 4 * at, _heap(properties)
        by_block.append(struct.pack("<QQHHI", block, len(body), len(heap), 2, 0))
        by_node.append(struct.pack("<QQQII", node, block, 0, parent, 0))
        body += heap.ljust(-(-(len(heap) + 16) // BLOCK) * BLOCK, b"\0")
    body += bytes(-len(body) % PAGE)
    pages = []
    for kind, entries in ((0x81, sorted(by_node, key=_number)), (0x80, by_block)):
        pages.append((len(body), 0x1000 + kind))
        body += _page(entries, kind)
    body[: 2 * PAGE] = _head(len(body), pages)
    path.write_bytes(body)
    return path


def _number(entry: bytes) -> int:
    return int.from_bytes(entry[:8], "little")


def _page(entries: Sequence[bytes], kind: int) -> bytes:
    """Return the one leaf of a tree."""
    size = len(entries[0])
    assert len(entries) * size <= 488, "too much for this small writer"
    told = struct.pack("<4BI", len(entries), 488 // size, size, 0, 0)
    return b"".join(entries).ljust(488, b"\0") + told + struct.pack("<2BHIQ", kind, kind, 0, 0, 0x1000 + kind)


def _head(size: int, pages: Sequence[tuple[int, int]]) -> bytes:
    (nodes, nodes_name), (blocks, blocks_name) = pages
    head = bytearray(2 * PAGE)
    head[:24] = b"!BDN" + bytes(4) + b"SM" + struct.pack("<HHBB", 23, 19, 1, 1) + bytes(8)
    struct.pack_into("<Q", head, 0xB8, size)
    struct.pack_into("<QQQQ", head, 0xD8, nodes_name, nodes, blocks_name, blocks)
    head[0x200] = 0x80
    return bytes(head)


def _heap(properties: Mapping[int, Value]) -> bytes:
    """Return the properties of a node as a heap with a tree of one level in it."""
    kept, rows = [b"", b""], []
    for tag, value in sorted(properties.items()):
        if isinstance(value, int) and tag != SENT:
            rows.append(struct.pack("<HHI", tag, INTEGER, value))
            continue
        if isinstance(value, str):
            kind, data = TEXT, value.encode("utf-16-le")
        else:
            kind, data = (TIME, struct.pack("<Q", value)) if isinstance(value, int) else (BINARY, value)
        kept.append(data)
        rows.append(struct.pack("<HHI", tag, kind, len(kept) << 5))
    kept[0] = struct.pack("<4BI", 0xB5, 2, 6, 0, 2 << 5)
    kept[1] = b"".join(rows)
    places = [12]
    for each in kept:
        places.append(places[-1] + len(each))
    data = b"".join(kept) + bytes(places[-1] % 2)
    table = struct.pack(f"<HH{len(places)}H", len(kept), 0, *places)
    heap = struct.pack("<HBBII", 12 + len(data), 0xEC, 0xBC, 1 << 5, 0) + data + table
    assert len(heap) <= 8176, "too much for this small writer"
    return heap
