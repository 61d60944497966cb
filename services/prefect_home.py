"""What the home's own Prefect server leaves for those who talk to it: its address, and what it asks for."""

import os
import secrets
from pathlib import Path


def address_file(home: Path) -> Path:
    """Return where the home's own server writes its address when it starts."""
    return home.absolute() / "prefect" / "address"


def own_secret(home: Path, url: str) -> str:
    """Return what the home's own server asks for; nothing when `url` is another server's."""
    try:
        own = address_file(home).read_text(encoding="ascii").strip()
        return secret_file(home).read_text(encoding="ascii").strip() if own == url else ""
    except OSError:
        return ""


def make_secret(home: Path) -> str:
    """Return what the home's own server asks for, made when it is first asked for; others cannot read it."""
    place = secret_file(home)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = place.with_name(f"{place.name}.{secrets.token_hex(8)}")
    with open(made, "x", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(f"holdfast:{secrets.token_urlsafe(24)}\n")
    try:
        os.link(made, place)  # whole, or not there; whoever comes second takes what is there
    except FileExistsError:
        pass
    finally:
        made.unlink()
    return place.read_text(encoding="ascii").strip()


def secret_file(home: Path) -> Path:
    """Return where it is kept what the home's own server asks for."""
    return home.absolute() / "prefect" / "secret"
