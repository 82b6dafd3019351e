"""A socket to listen on, taken before the address is told to anybody, and the server on it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from oneledger.settings import ConfigurationError

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

# Longer than people look at a page: a connection that is closed just when somebody asks again is an error to a program.
_KEEP_ALIVE_SECONDS = 75


def server_of(app: ASGIApp) -> uvicorn.Server:
    """The server of the pages; ``run(sockets=[…])`` serves until it is told to end."""
    import uvicorn

    return uvicorn.Server(
        uvicorn.Config(app, log_level="warning", server_header=False, timeout_keep_alive=_KEEP_ALIVE_SECONDS)
    )


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; with port 0 on a free port.

    Raises:
        ConfigurationError: the address does not exist here or is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(128)  # who reads the address may ask at once; the server answers when it is up
    except OSError as error:
        bound.close()
        raise ConfigurationError(
            f"Cannot listen on {host}:{port}: {error.strerror or error}. "
            "Take another port with --port, or 0 for a free one."
        ) from error
    return bound
