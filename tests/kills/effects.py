"""Watch what a process does to the disk, effect by effect, from outside, and end it before any one of them.

The kernel stops every system call that changes a file or a folder (seccomp with user notification) and asks the
supervisor, who lets it go on, answers that the disk is full, or kills the whole process group: then the effect that was
asked about did not happen and everything before it did. No code of the product knows of it, and DuckDB's and SQLite's
own writes are seen as well as Python's. Linux on x86-64, kernel 5.5 or newer.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import ctypes
import errno
import fcntl
import os
import platform
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

# System calls that change files, by number on x86-64: name, and which arguments are what. ``fd`` is an open file,
# ``at`` a folder and a path, ``path`` a path from the working folder; of two paths the second is what comes to be.
_CALLS: dict[int, tuple[str, str]] = {
    1: ("write", "fd"), 18: ("write", "fd"), 20: ("write", "fd"), 296: ("write", "fd"), 40: ("write", "fd"),
    326: ("write", "fd2"), 74: ("fsync", "fd"), 75: ("fsync", "fd"), 306: ("syncfs", "fd"),
    77: ("truncate", "fd"), 76: ("truncate", "path"), 285: ("allocate", "fd"),
    82: ("rename", "path path"), 264: ("rename", "at at"), 316: ("rename", "at at"),
    86: ("link", "path path"), 265: ("link", "at at"), 88: ("symlink", "text path"), 266: ("symlink", "text at"),
    83: ("mkdir", "path"), 258: ("mkdir", "at"), 84: ("rmdir", "path"), 87: ("unlink", "path"), 263: ("unlink", "at"),
    2: ("create", "path"), 257: ("create", "at"), 85: ("create", "path"),
}  # fmt: skip
_OPEN_FLAGS_AT = {2: 1, 257: 2}  # which argument holds the flags of open and openat
_CHANGING_FLAGS = os.O_CREAT | os.O_TRUNC
_X86_64 = 0xC000003E
_SECCOMP, _SET_FILTER, _NEW_LISTENER, _NO_NEW_PRIVILEGES = 317, 1, 1 << 3, 38
_ALLOW, _ASK = 0x7FFF0000, 0x7FC00000
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_GO_ON = 1
_QUESTION = struct.Struct("=QIIiIQ6Q")
_ANSWER = struct.Struct("=QqiI")
_LONGEST_PATH = 4096
# What a full disk refuses; to take something away it never does.
_TAKES_SPACE = {"write", "create", "mkdir", "link", "symlink", "allocate", "fsync"}


@dataclass(frozen=True)
class Effect:
    """One change that a process is about to make to something under the watched folder.

    Attributes:
        number: 1 for the first.
        call: ``write``, ``fsync``, ``rename``, ``link``, ``create``, ``unlink``, …
        path: what is changed (of a rename or link: what comes to be), from the watched folder.
        before: of a rename or link, what was there before.
        size: bytes that a write brings.
        seconds: since the process began.
    """

    number: int
    call: str
    path: str
    before: str = ""
    size: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        what = f"{self.before} → {self.path}" if self.before else self.path
        return f"#{self.number} {self.call} {what}{f' ({self.size} bytes)' if self.size else ''}"


@dataclass(frozen=True)
class Ended:
    """How a watched process ended. ``killed_before`` is the effect that it was not allowed to make."""

    code: int
    effects: tuple[Effect, ...]
    killed_before: Effect | None
    seconds: float


def can_watch() -> bool:
    """Whether this machine's kernel lets a process be watched in this way."""
    try:
        offered = Path("/proc/sys/kernel/seccomp/actions_avail").read_text("ascii").split()
    except OSError:
        return False
    return platform.machine() == "x86_64" and "user_notif" in offered


def run_watched(
    work: Callable[[], int],
    folder: Path,
    decide: Callable[[Effect], str | None],
    *,
    kill_after_seconds: float | None = None,
) -> Ended:
    """Fork, run ``work`` in a process group of its own, and ask ``decide`` before each of its effects.

    Args:
        work: what the child does; its result is the exit code.
        folder: only changes under it are effects.
        decide: answers ``None`` to let it happen, ``kill`` or ``full`` (the disk has no space for it).
        kill_after_seconds: kill at this time, whatever it does then.
    """
    ours, theirs = socket.socketpair()
    begun = time.monotonic()
    child = os.fork()
    if child == 0:
        code = 99
        try:
            os.setpgid(0, 0)
            ours.close()
            listener = _install_filter()
            socket.send_fds(theirs, [b"x"], [listener])
            os.close(listener)
            theirs.close()
            # What the parent wanted done at its end is not the child's; what the child wants done, it does.
            atexit._clear()
            code = work()
            atexit._run_exitfuncs()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
            atexit._run_exitfuncs()
        except BaseException:  # the child of a fork must never return into its parent's code
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    theirs.close()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.setpgid(child, child)
    listener = _received(ours)
    ours.close()
    try:
        return _supervise(child, listener, str(folder.resolve()), decide, begun, kill_after_seconds)
    finally:
        os.close(listener)
        _end_group(child)


def _supervise(
    child: int,
    listener: int,
    folder: str,
    decide: Callable[[Effect], str | None],
    begun: float,
    kill_after_seconds: float | None,
) -> Ended:
    effects: list[Effect] = []
    killed: Effect | None = None
    ended = os.pidfd_open(child)
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    poll.register(ended, select.POLLIN)
    deadline = begun + kill_after_seconds if kill_after_seconds is not None else None
    question = bytearray(_QUESTION.size)
    try:
        while True:
            wait = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
            ready = {one for one, _ in poll.poll(wait)}
            if deadline is not None and time.monotonic() >= deadline:
                killed = Effect(len(effects) + 1, "time", effects[-1].path if effects else "")
                break
            if ended in ready:
                break
            question[:] = bytes(_QUESTION.size)
            try:
                fcntl.ioctl(listener, _RECEIVE, question)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.EINTR):
                    continue  # who asked is gone
                raise
            identity, thread, _, call, _, _, *arguments = _QUESTION.unpack(question)
            effect = _effect_of(thread, call, arguments, folder, len(effects) + 1, time.monotonic() - begun)
            verdict = decide(effect) if effect else None
            if effect and verdict != "full":
                effects.append(effect)
            if verdict == "kill":
                killed = effect
                break
            refused = -errno.ENOSPC if verdict == "full" else 0
            with contextlib.suppress(OSError):
                fcntl.ioctl(listener, _SEND, _ANSWER.pack(identity, 0, refused, 0 if refused else _GO_ON))
        if killed:
            os.killpg(child, signal.SIGKILL)
    finally:
        os.close(ended)
    _, status = os.waitpid(child, 0)
    return Ended(
        os.waitstatus_to_exitcode(status), tuple(effects[:-1] if killed and effects and effects[-1] == killed
        else effects), killed, time.monotonic() - begun,
    )  # fmt: skip


def takes_space(effect: Effect) -> bool:
    """Whether a disk without space refuses it."""
    return effect.call in _TAKES_SPACE


def _effect_of(thread: int, call: int, arguments: list[int], folder: str, number: int, seconds: float) -> Effect | None:
    name, form = _CALLS[call]
    if call in _OPEN_FLAGS_AT and not arguments[_OPEN_FLAGS_AT[call]] & _CHANGING_FLAGS:
        return None
    try:
        paths = list(_paths(thread, form, arguments))
    except OSError:
        return None
    inside = [path.removeprefix(f"{folder}/") for path in paths if path.startswith(f"{folder}/")]
    if not inside:
        return None
    if name == "create" and _exists(paths[-1]) and not arguments[_OPEN_FLAGS_AT.get(call, 1)] & os.O_TRUNC:
        return None  # opened to be written: nothing changes yet
    if name == "mkdir" and _exists(paths[-1]):
        return None  # it only asks whether it is there
    size = arguments[2] if call in (1, 18) else 0
    return Effect(number, name, inside[-1], inside[0] if len(inside) > 1 else "", size, round(seconds, 3))


def _exists(path: str) -> bool:
    return os.path.lexists(path)


def _paths(thread: int, form: str, arguments: list[int]) -> Iterator[str]:
    if form in ("fd", "fd2"):
        number = arguments[2] if form == "fd2" else arguments[0]
        yield str(Path(f"/proc/{thread}/fd/{number & 0xFFFFFFFF}").readlink())
        return
    position = 0
    for part in form.split():
        base = f"/proc/{thread}/cwd"
        if part == "at":
            number = ctypes.c_int32(arguments[position] & 0xFFFFFFFF).value
            base = base if number < 0 else f"/proc/{thread}/fd/{number}"
            position += 1
        if part == "text":
            position += 1
            continue
        path = _text(thread, arguments[position])
        position += 1
        yield os.path.normpath(path if path.startswith("/") else Path(base).readlink() / path)


def _text(thread: int, address: int) -> str:
    with Path(f"/proc/{thread}/mem").open("rb", buffering=0) as memory:
        memory.seek(address)
        # A page at a time: what follows the text may not be there.
        content = b""
        while b"\0" not in content and len(content) < _LONGEST_PATH:
            content += memory.read(4096 - (address + len(content)) % 4096)
    return os.fsdecode(content.partition(b"\0")[0])


def _install_filter() -> int:
    """Ask the supervisor about the calls of ``_CALLS``, of this thread and all that come from it; returns the fd."""
    load_number, load_architecture, jump_equal, give = 0x20, 0x20, 0x15, 0x06
    numbers = sorted(_CALLS)
    lines = [(load_architecture, 0, 0, 4), (jump_equal, 1, 0, _X86_64), (give, 0, 0, _ALLOW), (load_number, 0, 0, 0)]
    for place, number in enumerate(numbers):
        lines.append((jump_equal, len(numbers) - place, 0, number))
    lines += [(give, 0, 0, _ALLOW), (give, 0, 0, _ASK)]
    code = b"".join(struct.pack("=HBBI", *line) for line in lines)
    held = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(lines), ctypes.addressof(held)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    listener = libc.syscall(_SECCOMP, _SET_FILTER, _NEW_LISTENER, ctypes.byref(program))
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return int(listener)


def _received(connection: socket.socket) -> int:
    _, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
    if not descriptors:
        raise OSError("the child could not be watched; its message is above")
    return int(array.array("i", descriptors)[0])


def _end_group(child: int) -> None:
    """Nothing of the group stays: a night that ended by itself may have left a helper process."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
