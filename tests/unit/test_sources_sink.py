import os

import pytest

from packages.errors import Unavailable
from storage.sources.sink import DigestThreads, Sink


def test_H9_a_disk_that_fills_up_says_no_space():
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        sink = Sink(full, DigestThreads())
        with pytest.raises(Unavailable, match="no space"):
            sink.write(b"x")
            sink.finish()
    finally:
        os.close(full)
