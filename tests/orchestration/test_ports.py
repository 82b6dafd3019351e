"""A port that is taken: who holds it, and which one is next."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from oneledger_airflow.ports import choose_port, holder_of, is_free


@pytest.fixture
def held_port() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_a_taken_port_is_named_with_its_process_and_the_next_is_chosen(held_port: int) -> None:
    port, holders = choose_port(held_port)
    assert port > held_port
    assert is_free(port)
    assert holders[0].pid == os.getpid()
    assert f"port {held_port} is held by process {os.getpid()} (" in str(holders[0])


def test_a_free_port_is_taken_as_wished() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        wanted = probe.getsockname()[1]
    assert choose_port(wanted) == (wanted, [])


def test_when_no_port_is_free_the_error_names_the_holder(held_port: int) -> None:
    with pytest.raises(OSError, match=f"port {held_port} is held by process {os.getpid()}"):
        choose_port(held_port, attempts=1)


def test_nobody_is_named_for_a_port_that_nobody_holds() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert holder_of(port).pid is None
