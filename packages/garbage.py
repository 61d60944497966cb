"""Garbage of processes that end when they have done their work: looked for seldom, and not at the end.

The 130,000 classes, functions and parts of them that a start of ours makes will stay. To look for garbage
among them again and again takes a tenth of a short command; at its end Python looks three times more, as it
takes every module apart, and that takes a quarter.
"""

import gc


def look_seldom() -> None:
    """Look for garbage when there may be much of it; call it before most is imported."""
    gc.set_threshold(200_000, 20, 20)


def leave_to_the_end() -> None:
    """Look for no more garbage: whatever is there by now goes with the process. Call it last."""
    gc.freeze()
