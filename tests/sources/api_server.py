"""A real HTTP server for tests: pages over records, with faults that a test switches on."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "s3cret token"


@dataclass
class Api:
    """What the server answers. A fault is a function of the request number and query that may answer instead:
    it returns ``(status, headers, body)`` or None to let the server answer rightly."""

    records: list[dict[str, Any]] = field(default_factory=list)
    as_of: str = "2022-10-31"
    fault: Callable[[int, dict[str, str]], tuple[int, dict[str, str], bytes] | None] = lambda number, query: None
    requests: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    etags: bool = False
    address: str = ""

    @property
    def uri(self) -> str:
        return f"http://:{TOKEN.replace(' ', '%20')}@{self.address}/api"

    def page(self, query: dict[str, str]) -> dict[str, Any]:
        since = query.get("updated_since", "")
        found = [record for record in self.records if record["updatedAt"] >= since]
        start, limit = int(query.get("cursor", "0")), int(query["limit"])
        more = start + limit < len(found)
        return {
            "items": found[start : start + limit], "nextCursor": str(start + limit) if more else None,
            "total": len(found), "asOf": self.as_of,
        }  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        api: Api = self.server.api  # type: ignore[attr-defined]
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        api.requests.append((parts.path, query, dict(self.headers)))
        faulty = api.fault(len(api.requests), query)
        if faulty is not None:
            self._answer(*faulty)
            return
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401, {}, b"{}")
            return
        body = json.dumps(api.page(query), ensure_ascii=False).encode()
        etag = f'"{hash(body)}"'
        if api.etags and self.headers.get("If-None-Match") == etag:
            self._answer(304, {}, b"")
            return
        self._answer(200, {"Content-Type": "application/json", **({"ETag": etag} if api.etags else {})}, body)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep the test output quiet."""


def start(api: Api) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.api = api  # type: ignore[attr-defined]
    api.address = f"127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
