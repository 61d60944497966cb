"""What a converter may not ask the kernel for: a filter of system calls, put on by `tools.confine`.

Converters are large programs of others. They start programs and threads, map and share memory, and some talk
to their own parts by sockets with a name. What is refused is what none of them needs, and what has often been
a way into kernels or to other processes.
"""

import os
from collections.abc import Iterator
from errno import ENOSYS, EPERM
from functools import cache

from tools.crew_confinement import (
    ALLOW,
    ANY_BIT,
    AT_LEAST,
    CALL_NUMBER,
    CLONE,
    CLONE3,
    EQUAL,
    FIRST_ARGUMENT,
    LOAD,
    MACHINE,
    MACHINES,
    REFUSE,
    RETURN,
    X32,
    can_refuse_calls,
    step,
)

REFUSED = {
    # nothing of other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438), "kcmp": (312, 272),
    # no other view of files, and none of those that have no name
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "fanotify_init": (300, 262),
    # no namespaces (clone makes some too, see below)
    "unshare": (272, 97), "setns": (308, 268),
    # no keys of the account
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    # io_uring would make sockets unseen; the others have often been a way into kernels
    "io_uring_setup": (425, 425), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "memfd_secret": (447, 447),
    # nothing of the machine, for whoever runs us as root
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142), "acct": (163, 89),
    "swapon": (167, 224), "swapoff": (168, 225), "quotactl": (179, 60), "syslog": (103, 116),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "clock_adjtime": (305, 266), "sethostname": (170, 161), "setdomainname": (171, 162),
    "iopl": (172, 0), "ioperm": (173, 0), "vhangup": (153, 58),
}  # fmt: skip  # a table: rows by purpose
"""Call → its number on each of the machines; 0 where there is none. Who asks is told *not permitted*."""
SOCKET = (41, 198)
WITH_A_NAME = 1
"""AF_UNIX, the only family of sockets that may be made; Landlock says where."""
NAMESPACES = 0x7E020000
"""The flags of clone that make one. Those of clone3 a filter cannot see: that is said not to exist."""


@cache
def converter_filter() -> str:
    """Return the filter in hexadecimal; nothing where this kernel takes none, or we do not know its calls."""
    return b"".join(_steps(os.uname().machine)).hex() if can_refuse_calls() else ""


def _steps(name: str) -> Iterator[bytes]:
    at, machine, _ = MACHINES[name]
    refuse, allow = step(RETURN, REFUSE | EPERM), step(RETURN, ALLOW)
    yield step(LOAD, MACHINE) + step(EQUAL, machine, 1, 0) + refuse
    yield step(LOAD, CALL_NUMBER) + step(AT_LEAST, X32, 0, 1) + refuse
    for numbers in REFUSED.values():
        if numbers[at]:
            yield step(EQUAL, numbers[at], 0, 1) + refuse
    yield step(EQUAL, CLONE3[at], 0, 1) + step(RETURN, REFUSE | ENOSYS)
    yield step(EQUAL, CLONE[at], 0, 4) + step(LOAD, FIRST_ARGUMENT)
    yield step(ANY_BIT, NAMESPACES, 0, 1) + refuse + allow
    yield step(EQUAL, SOCKET[at], 0, 4) + step(LOAD, FIRST_ARGUMENT)
    yield step(EQUAL, WITH_A_NAME, 0, 1) + allow + refuse
    yield allow
