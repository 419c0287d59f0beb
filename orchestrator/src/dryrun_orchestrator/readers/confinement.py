"""Takes a process's rights away for good: it may read and write what is open already, compute, and end.

Limits of resources, and a seccomp filter that lists the system calls that remain. None opens a file or a
socket, sends a signal or starts a process: whoever takes over a parser of hostile bytes has a pipe to write
into and nothing else. Numbers of system calls and architectures: Linux's `asm/unistd.h` and `linux/audit.h`.
"""

import ctypes
import os
import platform
import resource
import struct
from collections.abc import Mapping
from types import MappingProxyType

MEMORY_BYTES = 384 * 1024 * 1024
"""Address space. A document of 16 MiB with as many values as are allowed takes about half of it."""
CPU_SECONDS = 60
NICENESS = 10
"""Reading gives way to deadlines and removals."""

_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | 1
"""The second makes the call fail with EPERM."""
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
"""Offsets in `struct seccomp_data`."""

_CALLS: Mapping[str, tuple[int, Mapping[str, int]]] = MappingProxyType(
    {
        "x86_64": (
            0xC000003E,
            {
                "read": 0,
                "write": 1,
                "close": 3,
                "fstat": 5,
                "lseek": 8,
                "mmap": 9,
                "mprotect": 10,
                "munmap": 11,
                "brk": 12,
                "rt_sigaction": 13,
                "rt_sigprocmask": 14,
                "rt_sigreturn": 15,
                "mremap": 25,
                "madvise": 28,
                "exit": 60,
                "sigaltstack": 131,
                "futex": 202,
                "clock_gettime": 228,
                "exit_group": 231,
                "getrandom": 318,
            },
        ),
        "aarch64": (
            0xC00000B7,
            {
                "close": 57,
                "lseek": 62,
                "read": 63,
                "write": 64,
                "fstat": 80,
                "exit": 93,
                "exit_group": 94,
                "futex": 98,
                "clock_gettime": 113,
                "sigaltstack": 132,
                "rt_sigaction": 134,
                "rt_sigprocmask": 135,
                "rt_sigreturn": 139,
                "brk": 214,
                "munmap": 215,
                "mremap": 216,
                "mmap": 222,
                "mprotect": 226,
                "madvise": 233,
                "getrandom": 278,
            },
        ),
    }
)
"""By machine: its audit number, and the calls that remain."""


class ConfinementError(Exception):
    """The process keeps its rights, so it must read nothing; the message says why."""


def confine() -> None:
    """Give up every right for good. Everything that is imported later fails. Raises ConfinementError."""
    os.nice(NICENESS)
    for limit, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    machine = platform.machine()
    if machine not in _CALLS:
        raise ConfinementError(f"no list of system calls for {machine}; known are {', '.join(_CALLS)}")
    _install(_filter(*_CALLS[machine]))


def _filter(architecture: int, calls: Mapping[str, int]) -> bytes:
    """Return a program for the kernel's filter: a call that is not listed fails, of whatever architecture."""
    numbers = sorted(calls.values())
    # Jumps count from the next instruction: over the remaining comparisons, to one of the two returns.
    compared = [(_JUMP_IF_EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
    instructions = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_JUMP_IF_EQUAL, 0, len(numbers) + 1, architecture),
        (_LOAD, 0, 0, _NUMBER_AT),
        *compared,
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)


def _install(program: bytes) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: how many instructions of 8 bytes, and where they are.
    described = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(code)))
    _control(library, _PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), ctypes.c_ulong(0))
    _control(library, _PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.byref(described))


def _control(library: ctypes.CDLL, option: int, *values: object) -> None:
    if library.prctl(option, *values, ctypes.c_ulong(0), ctypes.c_ulong(0)):
        raise ConfinementError(f"prctl({option}) failed: {os.strerror(ctypes.get_errno())}")
