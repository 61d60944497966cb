"""Confines this very process before it meets its first job: what it may read and write, and what it may ask.

Called by `tools.crew_member` in a child of ours. Three parts, each of which the kernel may lack: Landlock
(files; as for converters, see `tools.confine`), a filter of system calls (seccomp), and the capabilities of
root, which are given up. All but the last cannot be taken back, and hold for threads that start later: there
may be none yet.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from errno import ENOSYS, EPERM
from struct import pack

from tools.confine import PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG, landlock

MACHINES = {"x86_64": (0, 0xC000003E, 317), "aarch64": (1, 0xC00000B7, 277)}
"""Machine → its place in the tables below, its number in audits, and that of the call that sets a filter."""
REFUSED = {
    # no program and no process of its own (clone makes threads, see below)
    "fork": (57, 0), "vfork": (58, 0), "execve": (59, 221), "execveat": (322, 281),
    # no network: without a socket there is nothing to connect, and io_uring would make one unseen
    # (a pair of sockets can hide open files, and have the kernel signal others)
    "socket": (41, 198), "socketpair": (53, 199), "io_uring_setup": (425, 425),
    # nothing of other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438),
    "setpriority": (141, 140), "sched_setscheduler": (144, 119), "sched_setparam": (142, 118),
    "sched_setattr": (314, 274), "sched_setaffinity": (203, 122), "ioprio_set": (251, 30),
    "move_pages": (279, 239), "migrate_pages": (256, 238), "process_madvise": (440, 440),
    "shmget": (29, 194), "shmat": (30, 196), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
    "shmctl": (31, 195), "msgctl": (71, 187), "msgsnd": (69, 189), "msgrcv": (70, 188),
    "mq_unlink": (241, 181), "semctl": (66, 191), "semop": (65, 193), "semtimedop": (220, 192),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "kcmp": (312, 272),
    "process_mrelease": (448, 448), "syslog": (103, 116),
    # no names of what others put into folders that may not be listed
    "inotify_init": (253, 0), "inotify_init1": (294, 26), "inotify_add_watch": (254, 27),
    "fanotify_init": (300, 262), "fanotify_mark": (301, 263),
    # no memory that is not counted as its own
    "memfd_create": (319, 279), "memfd_secret": (447, 447),
    # no rights and times of files: Landlock leaves those to whoever owns a file, and the first its length
    "chmod": (90, 0), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, 0), "lchown": (94, 0), "fchown": (93, 55), "fchownat": (260, 54),
    "utime": (132, 0), "utimes": (235, 0), "futimesat": (261, 0), "utimensat": (280, 88),
    "truncate": (76, 45),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "setxattrat": (463, 463),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "removexattrat": (466, 466), "file_setattr": (469, 469), "open_by_handle_at": (304, 265),
    # no namespaces, and nothing that readers have no use for and that has often been a way into kernels
    "unshare": (272, 97), "setns": (308, 268), "bpf": (321, 280), "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
}  # fmt: skip  # a table: rows by purpose
"""Call → its number on each of the machines; 0 where there is none. Who asks is told *not permitted*."""
ONLY_ITSELF = {
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "prlimit64": (302, 261),
}  # fmt: skip  # a table: rows by purpose
"""Calls whose first argument must be the process itself, or 0."""
NOT_WITH = {
    # to be asked by nobody: to have the kernel signal another process, to hold up who writes to a file, to be
    # told what others do in a folder (F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY)
    "fcntl": ((72, 25), 1, (8, 10, 15, 1024, 1026)),
    # PR_SET_PDEATHSIG: it ends with who started it; PR_SET_DUMPABLE: which files it has open can be seen
    "prctl": ((157, 167), 0, (1, 4)),
    "close_range": ((436, 436), 2, (2, 6)),  # with CLOSE_RANGE_UNSHARE: a thread has no open files of its own
}
"""Call → its numbers, which argument, and the values of it that are refused."""
MAP = (9, 222)
MAP_FLAGS, SHARED_BY_NOBODY, GROWING = 3, 0x21, 0x100
"""Which argument of mmap, and what it may not say: shared and of no file, or growing like a stack (neither
is counted as memory of the process)."""
CLONE, CLONE3 = (56, 220), (435, 435)
"""The first must make a thread that shares our open files, which are counted; the second, whose wishes a
filter cannot see, is said not to exist."""
CLONE_THREAD_AND_FILES = 0x10400
X32 = 0x40000000
"""From here on x86_64 has its calls a second time."""

LOAD, EQUAL, AT_LEAST, ANY_BIT, AND, RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
CALL_NUMBER, MACHINE, FIRST_ARGUMENT = 0, 4, 16  # where they are; an argument has eight bytes
SET_FILTER, ASK_ACTION = 1, 2
CAPABILITIES_VERSION = 0x20080522
READ_ALL = 1 << 2
"""CAP_DAC_READ_SEARCH: root reads what others deposited, as far as Landlock lets it."""

_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def shut_in(read: Sequence[str], named: Sequence[str], write: Sequence[str]) -> None:
    """Take on the confinement; raises RuntimeError where another thread runs already, which would be free.

    Below `read` everything may be read and listed, below `named` files by their names alone.
    """
    if len(os.listdir("/proc/self/task")) != 1:  # noqa: PTH208  # pathlib would say no more
        raise RuntimeError("a thread was started before the confinement")
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    landlock([*write], [*read], [], (*named,))
    _give_up_capabilities()
    _refuse_calls()


def end_with_parent(parent: int) -> None:
    """Have the kernel end this process with the thread that started it; end if `parent` is gone by now."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(0)


def can_refuse_calls() -> bool:
    """Tell whether this kernel lets us filter system calls, and we know the calls of this machine."""
    machine = MACHINES.get(os.uname().machine)
    action = ctypes.byref(ctypes.c_uint32(REFUSE))
    return (
        machine is not None
        and sys.byteorder == "little"
        and ctypes.sizeof(ctypes.c_void_p) == 8
        and _libc.syscall(machine[2], ASK_ACTION, 0, action) == 0
    )


def _refuse_calls() -> None:
    if can_refuse_calls():
        steps = b"".join(_steps(os.uname().machine))
        program = _Program(len(steps) // 8, steps)
        call = MACHINES[os.uname().machine][2]
        if _libc.syscall(call, SET_FILTER, 0, ctypes.byref(program)) != 0:
            raise RuntimeError(f"the kernel refused the filter: {os.strerror(ctypes.get_errno())}")


def _steps(name: str) -> Iterator[bytes]:
    """Yield the filter, one instruction of the kernel's packet filter each."""
    at, machine, _ = MACHINES[name]
    refuse = step(RETURN, REFUSE | EPERM)
    yield step(LOAD, MACHINE) + step(EQUAL, machine, 1, 0) + refuse
    yield step(LOAD, CALL_NUMBER) + step(AT_LEAST, X32, 0, 1) + refuse
    for numbers in REFUSED.values():
        if numbers[at]:
            yield step(EQUAL, numbers[at], 0, 1) + refuse
    yield step(EQUAL, CLONE3[at], 0, 1) + step(RETURN, REFUSE | ENOSYS)
    allow = step(RETURN, ALLOW)
    yield step(EQUAL, CLONE[at], 0, 5) + step(LOAD, FIRST_ARGUMENT) + step(AND, CLONE_THREAD_AND_FILES)
    yield step(EQUAL, CLONE_THREAD_AND_FILES, 0, 1) + allow + refuse
    for numbers in ONLY_ITSELF.values():
        yield step(EQUAL, numbers[at], 0, 5) + step(LOAD, FIRST_ARGUMENT)
        yield step(EQUAL, 0, 1, 0) + step(EQUAL, os.getpid(), 0, 1) + allow + refuse
    for numbers, argument, values in NOT_WITH.values():
        yield step(EQUAL, numbers[at], 0, 2 * len(values) + 2) + step(LOAD, FIRST_ARGUMENT + 8 * argument)
        yield b"".join(step(EQUAL, value, 0, 1) + refuse for value in values) + allow
    yield step(EQUAL, MAP[at], 0, 6) + step(LOAD, FIRST_ARGUMENT + 8 * MAP_FLAGS)
    yield step(ANY_BIT, GROWING, 0, 1) + refuse
    yield step(AND, SHARED_BY_NOBODY) + step(EQUAL, SHARED_BY_NOBODY, 0, 1) + refuse
    yield allow


def step(code: int, value: int, if_so: int = 0, if_not: int = 0) -> bytes:
    """Return one instruction of a filter; the last two tell how many to leave out after a comparison."""
    return pack("=HBBI", code, if_so, if_not, value)


def _give_up_capabilities() -> None:
    """Keep no capability but to read; somebody who is not root has none."""
    who = pack("=Ii", CAPABILITIES_VERSION, 0)
    for kept in (READ_ALL, 0):
        if _libc.capset(who, pack("=6I", kept, kept, 0, 0, 0, 0)) == 0:
            return
