import bz2
import gzip
import io
import lzma
import os
from collections.abc import Callable

import pytest
from backports import zstd

from storage.sources.compressed import Damaged, Decompressed

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
    "tar.zst": zstd.compress,
}


@pytest.mark.parametrize(("kind", "pack"), [(k.removeprefix("tar."), c) for k, c in COMPRESS.items()])
@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 22])
def test_streams_in_a_row_are_one_and_padding_is_nothing(kind: str, pack, size: int):
    first, second = os.urandom(300_000), b"second" * 1000
    reader = Decompressed(io.BytesIO(pack(first) + pack(second) + bytes(1000)), kind, lambda _: None)
    found = b"".join(iter(lambda: reader.read(max(size, 1000)), b""))
    assert found == first + second
    assert not reader.trailing
    assert reader.read(size) == b""


def test_a_compressed_stream_never_ends_well_too_early():
    for kind, pack in COMPRESS.items():
        data = pack(b"x" * 10_000)
        for cut in range(1, len(data)):
            reader = Decompressed(io.BytesIO(data[:-cut]), kind.removeprefix("tar."), lambda _: None)
            with pytest.raises(Damaged):
                reader.read(20_000)
