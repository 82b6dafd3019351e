"""The commands of the runbooks: taken apart for their verbs and options, and executed as they stand."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import typer

from oneledger.runbooks.pages import Block

VERB = "oneledger"
# Typer carries a click of its own; what it raises for a wrong option is the base of what it shows us.
UsageError: Any = typer.BadParameter.__bases__[0]
# A run from the beginning, asked for in earnest; what is shown as refused, or begins at a step, is done in its place.
_RUN = re.compile(rf"{VERB} run( --(source|as-of) \S+)?")
_BOX = re.compile(r"[\s│┃┏┡└─━┳╇┴┬┼┓┩┘]+")


@cache
def _command() -> Any:
    import importlib

    from oneledger.cli import ROOMS

    app = typer.Typer(name=VERB)
    for room in ROOMS:
        importlib.import_module(f"oneledger.cli.{room}").register(app)
    return typer.main.get_command(app)


def calls_of(commands: str) -> Iterator[list[str]]:
    """The words after each ``oneledger`` of some shell commands; ``|``, ``&&``, ``;`` and ``>`` end them."""
    joined = commands.replace("\\\n", " ")
    for line in joined.splitlines():
        if VERB not in line or line.lstrip().startswith("#"):
            continue
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|><")
        lexer.whitespace_split = True
        lexer.commenters = "#"
        words: list[str] = []
        is_inside = False
        for word in [*lexer, ";"]:
            if set(word) <= set(";&|><"):
                if is_inside:
                    yield words
                words, is_inside = [], False
            elif is_inside:
                words.append(word)
            elif word == VERB:
                is_inside = True


def problem_of(call: Sequence[str]) -> str:
    """What the command line says of a verb and its options, without doing anything; empty when it takes them."""
    arguments = [re.sub(r"\$\{?\w+\}?", "1", word) for word in call]
    command = _command()
    while arguments and arguments[0] in getattr(command, "commands", {}):
        command = command.commands[arguments.pop(0)]
    if command is _command():
        return f"there is no verb {call[0] if call else ''!r}"
    try:
        command.make_context(VERB, arguments)
    except UsageError as error:
        return str(error.format_message())
    except typer.Exit:  # --help, or a group without a verb of its own
        return ""
    return ""


@dataclass
class Shell:
    """Where the commands of pages are executed: one home, and what stands in the environment.

    ``defers_runs``: ``oneledger run`` is noted and not done; one run then does it for many pages.
    """

    environment: dict[str, str]
    folder: Path
    defers_runs: bool = False
    deferred: list[str] = field(default_factory=list)

    def execute(self, block: Block) -> tuple[int, str]:
        """Exit code and all that was said, in one text without blanks and frames."""
        commands = block.commands
        if self.defers_runs:
            kept = []
            for line in commands.splitlines():
                if _RUN.fullmatch(line.strip()):
                    self.deferred.append(line)
                else:
                    kept.append(line)
            commands = "\n".join(kept)
        done = subprocess.run(
            ["bash", "-e", "-c", commands], env={**os.environ, **self.environment}, cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    def run(self, *words: str) -> str:
        """One command that must work."""
        done = subprocess.run(
            words, env={**os.environ, **self.environment}, cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout[-4000:]}"
        return done.stdout


def is_said(line: str, said: str) -> bool:
    """Whether a line of a page stands in what was said; ``…`` stands for anything, blanks and frames for nothing."""
    parts = [re.escape(_BOX.sub("", part)) for part in line.split("…")]
    return re.search(".*?".join(parts), _BOX.sub("", said)) is not None


def problems_of(
    blocks: Sequence[Block], shell: Shell, *, must_work: bool, heard: dict[str, tuple[int, str]] | None = None
) -> list[str]:
    """What is not as the page says: an exit code, or a line that was not seen.

    ``heard`` keeps what commands answered, for pages that only look, one after the other, at a state that stays.
    """
    problems: list[str] = []
    for block in blocks:
        if block.language != "bash":
            continue
        known = heard.get(block.commands) if heard is not None else None
        code, said = known or shell.execute(block)
        if heard is not None:
            heard[block.commands] = code, said
        if must_work and code != 0:
            problems.append(f"`{block.commands.strip()}` ended with {code}:\n{said[-2500:]}")
        problems += [
            f"`{block.commands.strip()}` did not say {line!r}:\n{said[-2500:]}"
            for line in block.answer
            if not is_said(line, said)
        ]
    return problems
