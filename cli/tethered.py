"""Run a command that ends with its parent: ``python -m cli.tethered PARENT COMMAND…`` (Linux).

`holdfast up` starts its parts this way: killed at once, it leaves none of them behind.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent and become the command."""
    parent, *command = sys.argv[1:]
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):  # it died before the tie held
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606  # an argument list of `cli.supervisor`, no shell


if __name__ == "__main__":
    main()
