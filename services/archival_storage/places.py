"""Where stores are: which of them are lost together, and on which device other things of the archive lie."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from services.settings import Settings
from services.store_settings import path_of


def devices(settings: Settings) -> Mapping[str, list[str]]:
    """Return the names of the stores on each device; a store whose disk is not there is on none.

    A device is a disk of this machine, or a bucket. Where an endpoint is set, all its buckets are one device,
    as nothing tells what stands behind it.
    """
    found: dict[str, list[str]] = {}
    for name, url in settings.store_urls.items():
        device = device_of(settings, url)
        if device is not None:
            found.setdefault(device, []).append(name)
    return found


def device_of(settings: Settings, url: str) -> str | None:
    """Return the device that a store at `url` is on, or None where that cannot be known now."""
    parts = urlsplit(url)
    if parts.scheme in {"", "file"}:
        return disk_of(path_of(url))
    if parts.scheme == "s3":
        endpoint = settings.s3_endpoint_url
        return f"endpoint {endpoint}" if endpoint else f"bucket {parts.netloc}"
    return f"{parts.scheme} {parts.netloc}"


def disk_of(path: Path) -> str | None:
    """Return the disk of a folder, or None where there is no such folder."""
    try:
        return f"disk {path.stat().st_dev}"
    except OSError:
        return None


def same_folder(url: str, other: str) -> bool:
    """Tell whether two URLs lead to one folder, however they are written: by a link, or a second mount."""
    if not all(urlsplit(each).scheme in {"", "file"} for each in (url, other)):
        return url.rstrip("/") == other.rstrip("/")
    try:
        return path_of(url).samefile(path_of(other))
    except OSError:
        return path_of(url) == path_of(other)


def together(settings: Settings) -> list[list[str]]:
    """Return the groups of stores that are lost together."""
    return [names for names in devices(settings).values() if len(names) > 1]
