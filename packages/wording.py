"""Numbers in sentences."""


def counted(number: int, one: str, many: str = "") -> str:
    """Return ``1 file`` or ``2000 files``; `many` is the plural where it is not `one` with an s."""
    return f"{number} {one if number == 1 else many or one + 's'}"
