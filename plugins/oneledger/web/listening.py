"""A socket to listen on, taken before the address is told to anybody."""

from __future__ import annotations

import socket

from oneledger.settings import ConfigurationError


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
