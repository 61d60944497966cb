"""Archival storage: OCFL 1.1 objects in named stores, on local disks, in S3, or in memory."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from packages.errors import Refused
from storage.archival.local import LocalMedium
from storage.archival.medium import Medium
from storage.archival.store import OcflStore
from storage.archival.wrappers import ReadOnlyMedium, RetryingMedium

__all__ = ["OcflStore", "open_store"]


def open_store(name: str, url: str, *, s3_endpoint_url: str = "", read_only: bool = False) -> OcflStore:
    """Return the store at `url`, without touching it: ``file:///…``, ``s3://bucket/prefix`` or ``memory://…``.

    A plain absolute path is a folder too. `s3_endpoint_url` is the S3 server, where it is not what botocore's
    own settings say. A `read_only` store refuses every change. Raises Refused for a URL that nothing serves.
    """
    parts = urlsplit(url)
    medium: Medium
    if parts.scheme == "" and url.startswith("/"):
        medium = LocalMedium(Path(url))
    elif parts.scheme == "file" and parts.netloc in {"", "localhost"} and parts.path.startswith("/"):
        medium = LocalMedium(Path(unquote(parts.path)))
    elif parts.scheme == "memory":
        # fsspec takes a tenth of a second to import: only who uses it pays for it.
        from storage.archival.remote import RemoteMedium  # noqa: PLC0415  # see above

        medium = RemoteMedium(url)
    elif parts.scheme == "s3" and not parts.query and not parts.fragment and not {*"@:"} & {*parts.netloc}:
        # s3fs and botocore take a second.
        from storage.archival.s3 import S3Medium  # noqa: PLC0415  # see above

        bucket, prefix = parts.netloc, unquote(parts.path).strip("/")
        medium = RetryingMedium(S3Medium(bucket, prefix, endpoint_url=s3_endpoint_url or None))
    else:
        raise Refused(
            f"The store {name} has an address that is not understood: {parts.scheme or 'no scheme'}.",
            hint="Use file:///an/absolute/folder or s3://bucket/prefix; credentials do not belong in it.",
        )
    return OcflStore(name, ReadOnlyMedium(medium) if read_only else medium)
