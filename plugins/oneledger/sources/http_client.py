"""One HTTP API: requests with time-outs, retries with backoff and jitter, Retry-After, a cap on page size."""

from __future__ import annotations

import datetime as dt
import email.utils
import hashlib
import json
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import tenacity

from oneledger.catalogue import HttpSpec
from oneledger.redacting import guard_logger, redacted
from oneledger.settings import ConfigurationError
from oneledger.sources.connections import Connection
from oneledger.sources.refusal import RefusalError

_SNIPPET_CHARACTERS = 200
_CHUNK = 64 * 1024
_SHORTEST_SECRET = 8
guard_logger("httpx")
_RETRIED_STATUS = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Answer:
    """One page as it lies on disk. ``content`` is its JSON; None when the server answered 304 (not modified)."""

    sha256: str
    size_bytes: int
    etag: str | None
    content: Any


class PassingTroubleError(Exception):
    """Something that may be over in a moment. ``wait_seconds`` is what the server asked for."""

    def __init__(self, message: str, wait_seconds: float | None = None, problem: str = "no_answer") -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds
        self.problem = problem


class CursorExpiredError(Exception):
    """The server does not know the cursor any more: start from the first page."""


class HttpApi:
    """A client for one connection; close it after use (``with``)."""

    def __init__(self, connection: Connection, spec: HttpSpec) -> None:
        self.connection = connection
        self.spec = spec
        self.base_url = connection.base_url()
        self.retries = 0
        self._attempts = spec.attempts
        # No other packing is asked for: it is unpacked here, and never further than a page may be.
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip"}
        if not (connection.password.isascii() and connection.password.isprintable()):
            raise ConfigurationError(
                f"The token of connection {connection.id} ({connection.variable}) has signs that no HTTP header can "
                f"carry; it must be printable ASCII. Correct it."
            )
        if connection.password:
            headers["Authorization"] = f"Bearer {connection.password}"
        # A proxy of the environment is for other machines, never for this one.
        is_loopback = httpx.URL(self.base_url).host in ("localhost", "127.0.0.1", "::1")
        self._client = httpx.Client(
            headers=headers, timeout=spec.timeout_seconds, follow_redirects=False, trust_env=not is_loopback
        )
        self._secret = connection.password.encode()

    def __enter__(self) -> HttpApi:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def url(self, path: str, parameters: Mapping[str, str]) -> str:
        """The full URL of a page."""
        return str(httpx.URL(f"{self.base_url}/{path.lstrip('/')}", params=dict(parameters)))

    def fetch(self, url: str, target: Path, etag: str | None = None) -> Answer:
        """Write the body of one page to ``target`` exactly as received (after transfer decoding).

        Raises:
            RefusalError: the server refuses the request, or is in trouble longer than the retries last.
            CursorExpiredError: 400, 404 or 410 on a page that is not the first (the caller knows which).
        """
        longest = self.spec.longest_wait_seconds
        backoff = tenacity.wait_exponential_jitter(
            multiplier=self.spec.first_wait_seconds, max=longest, jitter=self.spec.first_wait_seconds
        )

        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.wait_seconds if isinstance(error, PassingTroubleError) else None
            self.retries += 1
            return backoff(state) if asked is None else asked

        try:
            for attempt in tenacity.Retrying(
                retry=tenacity.retry_if_exception_type(PassingTroubleError),
                stop=tenacity.stop_after_attempt(self._attempts),
                wait=wait,
                reraise=True,
            ):
                with attempt:
                    answer = self._fetch_once(url, target, etag)
            self._attempts = self.spec.attempts
            return answer
        except PassingTroubleError as error:
            tried, self._attempts = self._attempts, 1  # the other entities need not wait as long for the same server
            raise RefusalError(
                f"{_without_query(url)} did not answer rightly in {tried} attempts: {error}.",
                f"Check that the API behind {self.connection.variable} runs and can be reached; what was received "
                f"so far is kept, and the next run goes on from there.",
                {"url": url, "attempts": tried},
                problem=error.problem,
            ) from error

    def _fetch_once(self, url: str, target: Path, etag: str | None) -> Answer:
        headers = {"If-None-Match": etag} if etag else {}
        try:
            with self._client.stream("GET", url, headers=headers) as response:
                if response.status_code == 304:
                    return Answer("", 0, etag, None)
                self._check_status(response, url)
                sha256, size = self._save(response, target)
            return Answer(sha256, size, response.headers.get("etag"), self._parse(response, target))
        except httpx.TimeoutException as error:
            raise PassingTroubleError(f"no answer within {self.spec.timeout_seconds:.0f} s") from error
        except httpx.RequestError as error:
            raise PassingTroubleError(f"{type(error).__name__}: {error}") from error
        except (PassingTroubleError, RefusalError):
            # What is no page of ours is not kept: it may repeat what we sent.
            target.unlink(missing_ok=True)
            raise

    def _check_status(self, response: httpx.Response, url: str) -> None:
        status = response.status_code
        if status < 300:
            return
        if status in _RETRIED_STATUS:
            wait = _retry_after(response.headers.get("retry-after"))
            if wait is not None and wait > self.spec.longest_wait_seconds:
                raise RefusalError(
                    f"{_without_query(url)} answered {status} and asks to wait {wait:.0f} s, longer than the "
                    f"{self.spec.longest_wait_seconds:.0f} s that the catalogue allows (longest_wait_seconds).",
                    "Start again later; what was received so far is kept.",
                    {"url": url, "status": status, "retry_after_seconds": wait},
                    problem="no_answer",
                )
            raise PassingTroubleError(f"status {status}", wait)
        if status in (401, 403):
            why = "the token is not accepted" if status == 401 else "the token gives no access to this collection"
            raise RefusalError(
                f"{_without_query(url)} answered {status}: {why}.",
                f"Put a valid token into the password of {self.connection.variable}, or ask its owner for access.",
                {"url": url, "status": status},
                problem="no_answer",
            )
        if status in (400, 404, 410):
            raise CursorExpiredError(f"status {status}: {_beginning(response)!r}")
        if response.has_redirect_location:
            raise RefusalError(
                f"{_without_query(url)} answered {status} and sends us to another address "
                f"({_without_query(response.headers['location'])[:_SNIPPET_CHARACTERS]}); the token goes nowhere but "
                f"where the connection says.",
                f"If the API moved, put its new address into {self.connection.variable}.",
                {"url": url, "status": status},
                problem="no_answer",
            )
        raise RefusalError(
            f"{_without_query(url)} answered {status}.",
            f"Check the address in {self.connection.variable} and `path` in the catalogue.",
            {"url": url, "status": status},
            problem="no_answer",
        )

    def _save(self, response: httpx.Response, target: Path) -> tuple[str, int]:
        digest = hashlib.sha256()
        size = 0
        ends_at = time.monotonic() + self.spec.longest_page_seconds
        with target.open("wb") as stream:
            for chunk in self._unpacked(response):
                size += len(chunk)
                if size > self.spec.max_page_bytes:
                    raise RefusalError(
                        f"A page of {_without_query(str(response.url))} is larger than "
                        f"{self.spec.max_page_bytes:,} bytes.",
                        "Ask for fewer rows a page (`limit` in the catalogue), or raise `max_page_bytes`.",
                        {"url": str(response.url), "max_page_bytes": self.spec.max_page_bytes},
                        problem="too_large",
                    )
                if time.monotonic() > ends_at:
                    # Each piece comes in time and the page never ends: the time-out of the connection does not see it.
                    raise PassingTroubleError(
                        f"the page is not whole after {self.spec.longest_page_seconds:.0f} s (longest_page_seconds)"
                    )
                digest.update(chunk)
                stream.write(chunk)
        return digest.hexdigest(), size

    def _unpacked(self, response: httpx.Response) -> Iterator[bytes]:
        """The body after transfer decoding, a bounded piece at a time."""
        packing = response.headers.get("content-encoding", "identity").strip().lower()
        if packing == "identity":
            # Piece by piece as they come: gathered to larger ones, a page that drips would never be looked at.
            yield from response.iter_raw()
            return
        if packing not in ("gzip", "x-gzip"):
            raise RefusalError(
                f"{_without_query(str(response.url))} sent a body packed as {packing[:40]!r}; gzip was offered.",
                "The owner of the API packs its answers as asked (Accept-Encoding), or not at all.",
                {"url": str(response.url)},
                problem="unreadable_answer",
            )
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            for raw in response.iter_raw():
                waiting = raw
                while waiting:
                    yield unpacker.decompress(waiting, _CHUNK)
                    waiting = unpacker.unconsumed_tail
        except zlib.error as error:
            raise PassingTroubleError(f"the packed body is broken: {error}", problem="unreadable_answer") from error
        if not unpacker.eof:
            raise PassingTroubleError("the packed body is cut off", problem="unreadable_answer")

    def _parse(self, response: httpx.Response, target: Path) -> Any:
        body = target.read_bytes()
        if len(self._secret) >= _SHORTEST_SECRET and self._secret in body:
            raise RefusalError(
                f"A page of {_without_query(str(response.url))} repeats the token that it was asked with; nothing of "
                f"it is kept.",
                f"The owner of the API stops repeating requests in its answers; then change the token in "
                f"{self.connection.variable}: it may stand in other logs.",
                {"url": str(response.url)},
                problem="unsafe_content",
            )
        kind = response.headers.get("content-type", "")
        start = body[:_SNIPPET_CHARACTERS].decode("utf-8", "replace").strip()
        if "html" in kind or start[:1] == "<":
            raise PassingTroubleError(
                f"status 200 with an HTML page instead of JSON, beginning with {start!r}", problem="web_page"
            )
        try:
            return json.loads(body)
        except RecursionError as error:
            raise RefusalError(
                f"A page of {_without_query(str(response.url))} is nested too deep to be read.",
                "The owner of the API looks how the answer came about; a record of data is a few levels deep.",
                {"url": str(response.url)},
                problem="too_large",
            ) from error
        except ValueError as error:
            raise PassingTroubleError(
                f"status 200 with a body that is no JSON ({error}), beginning with {start!r}",
                problem="unreadable_answer",
            ) from error


def _retry_after(text: str | None) -> float | None:
    if not text:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        when = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (when - dt.datetime.now(dt.UTC)).total_seconds())


def _beginning(response: httpx.Response) -> str:
    """How the body of an error begins: no more of it is read, and packed it is not looked at."""
    if response.headers.get("content-encoding", "identity") != "identity":
        return "…"
    for chunk in response.iter_raw():
        return redacted(chunk.decode("utf-8", "replace"))[:_SNIPPET_CHARACTERS]
    return ""


def _without_query(url: str) -> str:
    return url.split("?", 1)[0]
