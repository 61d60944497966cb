"""Confines one program and runs it: a small program of its own, started by `tools.sandbox`.

``python -I -S confine.py FACTS COMMAND…`` with FACTS as JSON: ``write`` and ``read`` (folders and files
that may be written and read), ``filter`` (of system calls, in hexadecimal), ``memory``, ``file_size``
(bytes), ``processes``, ``parent`` (the PID of whoever asks) and ``status`` (a descriptor that the result is
written to as JSON: ``status`` as of waitpid, ``peak`` memory in bytes, and which kinds of confinement the
kernel ``granted``).

Uses nothing but the standard library, so that it starts in a few milliseconds. Three processes: this one,
which whoever asked can end at any time; below it an init, the first process of its own PID namespace, with
whose end the kernel ends all others; below that the program.
"""

import ctypes
import json
import os
import resource
import signal
import sys
from contextlib import suppress
from typing import Any

CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x08000000, 0x10000000, 0x20000000, 0x40000000
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 22, 36, 38
SECCOMP_MODE_FILTER = 2
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
READ = 1 << 0 | 1 << 2 | 1 << 3  # execute, read file, read folder
READ_NAMED = 1 << 2  # read file: not what else lies beside it
MAKE_SOCKET = 1 << 9
FILE_RIGHTS = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15
"""The rights that a file (not a folder) can have: execute, write, read, truncate, ioctl."""
NO_TCP = 1 << 0 | 1 << 1  # bind, connect
NO_SOCKETS_OR_SIGNALS_OUTSIDE = 1 << 0 | 1 << 1

_libc = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def main() -> int:
    """Run the command confined; see the module."""
    facts: dict[str, Any] = json.loads(sys.argv[1])
    signal.signal(signal.SIGTERM, _end_everything)
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != facts["parent"]:
        return 1  # whoever asked died before we could ask to be told of it
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    granted = _unshare()
    init = os.fork()
    if init == 0:
        _be_init(facts, granted)
    os.close(facts["status"])
    os.waitpid(init, 0)
    _end_descendants()
    return 0


def _unshare() -> list[str]:
    """Leave the network, and take a PID namespace; return what the kernel granted."""
    user, group = os.getuid(), os.getgid()
    everything = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC
    for flags, granted in (
        (CLONE_NEWUSER | everything, ["network", "processes"]),
        (everything, ["network", "processes"]),
        (CLONE_NEWUSER | CLONE_NEWNET, ["network"]),
        (CLONE_NEWNET, ["network"]),
    ):
        if _libc.unshare(flags) == 0:
            if flags & CLONE_NEWUSER:
                with suppress(OSError):  # without the map we are nobody, and cannot write
                    _write("/proc/self/setgroups", "deny")
                    _write("/proc/self/gid_map", f"{group} {group} 1")
                    _write("/proc/self/uid_map", f"{user} {user} 1")
            return granted
    return []


def _be_init(facts: dict[str, Any], granted: list[str]) -> None:
    """Start the program, gather every process that is left to us, report, and end with the program."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    report, program_side = os.pipe()
    program = os.fork()
    if program == 0:
        os.close(report)
        _become(facts, granted, program_side)
    os.close(program_side)
    with os.fdopen(report) as told:
        files = told.read()  # ends when the program has been started
    while True:
        ended, status, usage = os.wait4(-1, 0)
        if ended == program:
            break
    if "processes" not in granted:  # else the kernel ends them all with us
        _end_descendants()
    result = {"status": status, "peak": usage.ru_maxrss * 1024, "granted": [*granted, *files.split()]}
    os.write(facts["status"], json.dumps(result).encode())
    os._exit(0)


def _become(facts: dict[str, Any], granted: list[str], report: int) -> None:
    """Take on the limits, then turn into the program."""
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_DATA, facts["memory"]),
        (resource.RLIMIT_FSIZE, facts["file_size"]),
        *([(resource.RLIMIT_NPROC, facts["processes"])] if "processes" in granted else []),
    ):
        hard = resource.getrlimit(what)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))
    for ignored in (signal.SIGXFSZ, signal.SIGPIPE):  # Python ignores them, and that is inherited
        signal.signal(ignored, signal.SIG_DFL)
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if landlock(facts["write"], facts["read"], facts["sockets"]):
        os.write(report, b"files ")
    if _refuse_calls(bytes.fromhex(facts["filter"])):
        os.write(report, b"calls ")
    os.close(report)
    try:
        os.execvpe(sys.argv[2], sys.argv[2:], os.environ)  # noqa: S606  # no shell, on purpose
    except OSError as error:
        os.write(2, f"{sys.argv[2]}: {error.strerror}\n".encode())
        os._exit(127)


def landlock(write: list[str], read: list[str], sockets: list[str], named: tuple[str, ...] = ()) -> bool:
    """Let the process and its children write and read nothing but these; False where the kernel cannot.

    `sockets` are folders in which sockets may be made; below `named`, files may be read by who knows their
    names, and no folder listed. Holds for this thread and those that it starts.
    """
    version = _libc.syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    all_rights = (1 << 13) - 1
    for since, bit in ((2, 13), (3, 14), (5, 15)):  # refer, truncate, ioctl
        all_rights |= (1 << bit) if version >= since else 0
    rules = _Ruleset(
        all_rights, NO_TCP if version >= 4 else 0, NO_SOCKETS_OR_SIGNALS_OUTSIDE if version >= 6 else 0
    )
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _libc.syscall(LANDLOCK_CREATE, ctypes.byref(rules), ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return False
    allowed = ((read, READ), (write, all_rights & ~1), (sockets, MAKE_SOCKET), (named, READ_NAMED))
    for paths, rights in allowed:
        for path in paths:
            _allow(ruleset, path, rights & all_rights)
    return bool(_libc.syscall(LANDLOCK_RESTRICT, ruleset, 0) == 0)


def _refuse_calls(steps: bytes) -> bool:
    """Put the filter on; False where the kernel does not take it, or there is none."""
    program = _Filter(len(steps) // 8, steps)
    mode = ctypes.c_ulong(SECCOMP_MODE_FILTER)
    return bool(steps) and _libc.prctl(PR_SET_SECCOMP, mode, ctypes.byref(program), 0, 0) == 0


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no leave
    if not os.path.isdir(path):  # noqa: PTH112  # pathlib would double the time to start
        rights &= FILE_RIGHTS
    _libc.syscall(LANDLOCK_ADD, ruleset, 1, ctypes.byref(_Beneath(rights, parent)), 0)
    os.close(parent)


def _end_everything(*_: object) -> None:
    _end_descendants()
    os._exit(1)


def _end_descendants() -> None:
    """Kill our children until there are none: orphans of theirs become ours."""
    while True:
        for child in _children():
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


def _children() -> list[int]:
    with suppress(OSError), open("/proc/thread-self/children") as stream:  # noqa: PTH123  # pathlib is slow to load
        return [int(each) for each in stream.read().split()]
    return []


def _write(path: str, text: str) -> None:
    with open(path, "w") as stream:  # noqa: PTH123  # pathlib is slow to load
        stream.write(text)


if __name__ == "__main__":
    sys.exit(main())
