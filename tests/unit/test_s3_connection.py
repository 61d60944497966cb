"""An S3 server that lists without end, and an address that must not be repeated."""

from itertools import count, islice
from typing import Any

import pytest

from packages.errors import Refused, Unavailable
from storage.archival.s3_connection import Connection


class Listing(Connection):
    """A connection to a server that answers each request for a list with `page` and its number."""

    def __init__(self, page: dict[str, Any], *, stuck: bool = False) -> None:
        super().__init__("bucket", "", None, 1.0)
        self._page = page
        self._numbers = iter(lambda: 1, 0) if stuck else count()

    def call(self, method: str, what: str, **named: Any) -> Any:
        del method, what, named
        number = str(next(self._numbers))
        where = {"NextContinuationToken": number, "NextKeyMarker": number, "NextUploadIdMarker": number}
        return {"IsTruncated": True, **where, **self._page}


KEYS = {"Contents": [{"Key": "a"}], "Uploads": [{"Key": "a", "UploadId": "1", "Initiated": None}]}


@pytest.mark.parametrize(
    "listing",
    [Listing({}), Listing(KEYS, stuck=True), Listing({"NextContinuationToken": None, "NextKeyMarker": None})],
)
def test_a_list_without_progress_ends(listing: Listing) -> None:
    for pages in (listing.pages(""), listing.uploads()):
        with pytest.raises(Unavailable, match="without end"):
            list(islice(pages, 1000))


def test_a_long_list_goes_on() -> None:
    assert len(list(islice(Listing(KEYS).pages(""), 1000))) == 1000
    assert len(list(islice(Listing(KEYS).uploads(), 1000))) == 1000


@pytest.mark.parametrize(
    "url", ["ftp://me:secret@host", "me:secret@host", "http://[me:secret@host", "http://me@host:secret"]
)
def test_a_bad_address_is_not_repeated_with_its_credentials(url: str) -> None:
    with pytest.raises(Refused) as error:
        Connection("bucket", "", url, 1.0).head("key")
    assert "secret" not in str(error.value)
