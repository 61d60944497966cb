"""Writes Outlook messages: compound files ([MS-CFB]) with the streams of [MS-OXMSG]."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SECTOR, SMALL, CUTOFF = 512, 64, 4096
FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


@dataclass
class _Node:
    name: str
    data: bytes | None = None
    children: dict[str, "_Node"] = field(default_factory=dict)
    number: int = 0
    start: int = END


def write_compound(path: Path, streams: Mapping[str, bytes]) -> Path:
    """Write a compound file; keys are paths with ``/``."""
    root = _Node("Root Entry")
    for name, data in streams.items():
        node = root
        for part in name.split("/"):
            node = node.children.setdefault(part, _Node(part))
        node.data = data
    nodes = _numbered(root)
    small, small_fat = _mini(nodes)
    regular = [(node, node.data) for node in nodes if node.data is not None and len(node.data) >= CUTOFF]
    body, fat = bytearray(), list[int]()

    def place(data: bytes) -> int:
        if not data:
            return END
        start, count = len(fat), -(-len(data) // SECTOR)
        body.extend(data.ljust(count * SECTOR, b"\0"))
        fat.extend([*range(start + 1, start + count), END])
        return start

    for node, data in regular:
        node.start = place(data)
    root.start, root.data = place(small), small
    mini_at = place(struct.pack(f"<{len(small_fat)}I", *small_fat).ljust(SECTOR, b"\xff"))
    entries = b"".join(_entry(node, nodes) for node in nodes)
    directory_at = place(entries)
    fat_at = len(fat)
    fat.append(FAT)
    assert len(fat) <= SECTOR // 4, "too large for this small writer"
    body += struct.pack(f"<{len(fat)}I", *fat).ljust(SECTOR, b"\xff")
    head = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<5H", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    )
    head += struct.pack("<9I", 0, 1, directory_at, 0, CUTOFF, mini_at, 1, END, 0) + struct.pack("<I", fat_at)
    path.write_bytes(head.ljust(SECTOR, b"\xff") + body)
    return path


def _numbered(root: _Node) -> list[_Node]:
    nodes: list[_Node] = []
    rest = [root]
    while rest:
        node = rest.pop(0)
        node.number = len(nodes)
        nodes.append(node)
        rest += _sorted(node)
    return nodes


def _sorted(node: _Node) -> list[_Node]:
    return sorted(node.children.values(), key=lambda each: (len(each.name), each.name.upper()))


def _mini(nodes: list[_Node]) -> tuple[bytes, list[int]]:
    stream, fat = bytearray(), list[int]()
    for node in nodes:
        if node.data and len(node.data) < CUTOFF:
            node.start, count = len(fat), -(-len(node.data) // SMALL)
            stream += node.data.ljust(count * SMALL, b"\0")
            fat += [*range(node.start + 1, node.start + count), END]
    return bytes(stream), fat


def _entry(node: _Node, nodes: list[_Node]) -> bytes:
    parents = [each for each in nodes if node.name in each.children and each.children[node.name] is node]
    siblings = _sorted(parents[0]) if parents else [node]
    after = siblings.index(node) + 1
    right = siblings[after].number if after < len(siblings) else FREE
    child = _sorted(node)[0].number if node.children else FREE
    name = node.name.encode("utf-16-le") + b"\0\0"
    kind = 5 if node.number == 0 else 1 if node.data is None else 2
    size = len(node.data or b"")
    links = struct.pack("<3I", FREE, right, child)
    return (
        name.ljust(64, b"\0") + struct.pack("<HBB", len(name), kind, 1) + links + bytes(36)
        + struct.pack("<IQ", node.start if size else END, size)
    )  # fmt: skip  # fewer lines read better


def _property(tag: int, value: bytes) -> bytes:
    return struct.pack("<II", tag, 6) + value.ljust(8, b"\0")


def write_sent(path: Path) -> Path:
    """Write a message from a folder of what was sent: without the headers that a mail server adds."""
    ticks = 126_227_808_000_000_000  # 2001-01-01T00:00:00Z
    streams = {
        "__properties_version1.0": bytes(32) + _property(0x00390040, ticks.to_bytes(8, "little")),
        "__substg1.0_0037001F": "Tide".encode("utf-16-le"),
        "__substg1.0_1000001F": "High at noon.".encode("utf-16-le"),
        "__substg1.0_0C1A001F": "Ada".encode("utf-16-le"),
        "__substg1.0_5D01001F": "ada@example.org".encode("utf-16-le"),
    }
    for number, (kind, name) in enumerate(((1, "Grace"), (2, "Edith, Dr"))):
        place = f"__recip_version1.0_#{number:08X}/"
        streams |= {
            f"{place}__properties_version1.0": bytes(8) + _property(0x0C150003, kind.to_bytes(4, "little")),
            f"{place}__substg1.0_3001001F": name.encode("utf-16-le"),
            f"{place}__substg1.0_39FE001F": f"{name[:5].lower()}@example.org".encode("utf-16-le"),
        }
    return write_compound(path, streams)


def write_msg(path: Path, *, body: str, subject: str, attachments: Mapping[str, bytes]) -> Path:
    """Write a message from Ada to Grace."""

    def text(place: str, tag: str, value: str) -> dict[str, bytes]:
        return {f"{place}__substg1.0_{tag}001F": value.encode("utf-16-le")}

    headers = (
        "From: Ada <ada@example.org>\r\nTo: grace@example.org\r\nDate: Mon, 1 Jan 2001 10:00:00 +0000\r\n"
    )
    streams = {
        "__properties_version1.0": bytes(32),
        "__nameid_version1.0/__substg1.0_00020102": b"",
        "__nameid_version1.0/__substg1.0_00030102": b"",
        "__nameid_version1.0/__substg1.0_00040102": b"",
        **text("", "001A", "IPM.Note"),
        **text("", "007D", f"{headers}Message-ID: <1@example.org>\r\n\r\n"),
        **text("", "0037", subject),
        **text("", "1000", body),
    }
    for number, (name, data) in enumerate(attachments.items()):
        place = f"__attach_version1.0_#{number:08X}/"
        streams |= {f"{place}__properties_version1.0": bytes(8), f"{place}__substg1.0_37010102": data}
        streams |= text(place, "3707", name)
    return write_compound(path, streams)
