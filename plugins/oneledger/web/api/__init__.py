"""The API, version 1: the published data for programs. Read-only; no SQL comes from outside.

``routes/`` has the addresses; ``calls`` what one of them is given; ``relations`` what may be asked for; ``filters``,
``asking`` and ``cursors`` how a question becomes one statement with bound values; ``answering``, ``plain`` and
``files`` how its rows go out; ``models`` and ``description`` what OpenAPI says of all this.
"""
