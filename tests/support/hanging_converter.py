"""A child process that never answers."""

import time
from typing import Any

from tools import crew_member


def answer(_jobs: list[Any]) -> list[list[Any]]:
    time.sleep(3600)
    return []


if __name__ == "__main__":
    crew_member.serve(answer)
