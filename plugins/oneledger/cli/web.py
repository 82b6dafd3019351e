"""The verb ``web``: pages and API over the published version, without Airflow."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from oneledger.cli.output import fail, say
from oneledger.settings import load_settings

WEB_HELP = """Pages and API over the published version, on this machine, without Airflow; Ctrl-C ends it.

It prints the address with a token that is good for this run. To let others in, give each a token in the environment
(`ONELEDGER_WEB_TOKENS="王敏:auditor=<token>,viewer=<token>"`; roles viewer, auditor, engineer), and put a
proxy with TLS before it. Pages need no internet. They run at a lower priority than the nightly (--nice), which many
visitors at once slow by little then.

Examples:

    oneledger web

    oneledger web --port 9000

    ONELEDGER_WEB_TOKENS="board:viewer=$TOKEN" oneledger web --host 0.0.0.0
"""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("web", help=WEB_HELP)(web)


def web(
    host: Annotated[
        str, typer.Option(help="Address to listen on; other than loopback needs ONELEDGER_WEB_TOKENS.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8090,
    nice: Annotated[
        int, typer.Option(min=0, max=19, help="How far the pages stand back behind the nightly; 0 not at all.")
    ] = 17,
) -> None:
    """Serve until interrupted."""
    # Before anything starts a thread: each thread has its own priority and inherits it from who starts it.
    os.nice(nice)
    from oneledger.publishing.versions import resolve
    from oneledger.web.app import create_app
    from oneledger.web.listening import listen, server_of
    from oneledger.web.tokens import TOKENS_VARIABLE, token_access
    from oneledger.web.warming import warm_in_background

    settings = load_settings()
    resolve(settings)
    access = token_access(os.environ)
    if access.own_token and host not in {"127.0.0.1", "localhost", "::1"}:
        fail(
            f"--host {host} would open the pages to other machines with a token that only this terminal shows. "
            f"Give each visitor a token in {TOKENS_VARIABLE} (see `oneledger web --help`), or leave --host away."
        )
    socket = listen(host, port)
    address = f"http://{host if ':' not in host else f'[{host}]'}:{socket.getsockname()[1]}"
    say(f"一本账 OneLedger  {address}/" + (f"enter?token={access.own_token}" if access.own_token else ""))
    say("Ctrl-C 结束。 Ctrl-C ends it.")
    pages = create_app(settings, access)
    warm_in_background(pages.state.pool)
    server_of(pages).run(sockets=[socket])
