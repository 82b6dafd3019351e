"""Which process holds a TCP port of this machine, and which port is free."""

from __future__ import annotations

import socket
from dataclasses import dataclass

import psutil

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class PortHolder:
    """The process that listens on a port; ``pid`` is None when the system does not tell us (another user's)."""

    port: int
    pid: int | None
    name: str
    command: str = ""

    def __str__(self) -> str:
        if self.pid is None:
            return f"port {self.port} is held by {self.name}"
        return f"port {self.port} is held by process {self.pid} ({self.name}: {self.command})"


def is_free(port: int) -> bool:
    """Whether the port can be bound on the loopback address right now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a connection that has just ended must not count as a holder.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def holder_of(port: int) -> PortHolder:
    """Name who listens on ``port``."""
    pid = listening_pid(port)
    if pid is None:
        return PortHolder(port, None, "a process of another user, or one outside this container")
    try:
        process = psutil.Process(pid)
        return PortHolder(port, pid, process.name(), " ".join(process.cmdline())[:120])
    except psutil.Error:
        return PortHolder(port, None, f"process {pid}, which has just ended or is not ours to look at")


def listening_pid(port: int) -> int | None:
    """The id of the process that listens on ``port``, when this user may know it."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:  # macOS shows other processes' sockets to root only
        return _own_listening_pid(port)
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            return connection.pid
    return None


def _own_listening_pid(port: int) -> int | None:
    for process in psutil.process_iter():
        try:
            for connection in process.net_connections(kind="tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                    return int(process.pid)
        except psutil.Error:
            continue
    return None


def choose_port(wanted: int, attempts: int = 50) -> tuple[int, list[PortHolder]]:
    """The first free port from ``wanted`` on, and who holds those before it.

    Raises:
        OSError: none of ``attempts`` ports is free.
    """
    holders: list[PortHolder] = []
    for port in range(wanted, min(wanted + attempts, 65536)):
        if is_free(port):
            return port, holders
        holders.append(holder_of(port))
    raise OSError(f"no free port between {wanted} and {wanted + attempts - 1}; {holders[0] if holders else ''}")
