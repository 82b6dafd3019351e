"""What the description of the API says of a route: titles and sentences in both languages, answers and errors."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from oneledger.web.api.formats import Format
from oneledger.web.api.models import Problem

_ERRORS = {
    401: "Nobody is logged in: send `Authorization: Bearer <token>`.",
    403: "Your role does not allow this.",
    404: "There is no such version, table, app, …; the answer says which there are.",
    406: "None of the formats of the header Accept is ours.",
    413: "The answer has too many rows for one file.",
    422: "A parameter does not exist or has a value that cannot be used; each is named with what is expected.",
    429: "Too many requests in this minute; see Retry-After.",
    503: "Not available right now; see Retry-After.",
}
_USUAL = (401, 403, 404, 422, 429)
_HEADERS: dict[str, Any] = {
    "OneLedger-Version": ("The published version that was read.", "string"),
    "ETag": ("Equal for equal bytes; send it as If-None-Match.", "string"),
    "Link": ("The links of the body (RFC 8288).", "string"),
    "RateLimit-Limit": ("Requests a minute.", "integer"),
    "RateLimit-Remaining": ("Requests left.", "integer"),
    "RateLimit-Reset": ("Seconds until the oldest request of the minute is forgotten.", "integer"),
}


def says(
    zh: str, en: str, *, model: type[BaseModel], description_zh: str = "", description_en: str = "",
    example: str = "", more_errors: tuple[int, ...] = (), has_files: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Keyword arguments of a route.

    Args:
        zh: its title in Chinese.
        en: its title in English.
        model: what its JSON answer looks like.
        example: an address that works on the reference city.
        more_errors: statuses besides those that every route has.
        has_files: whether it also answers in CSV, Parquet and Excel.
    """
    content: dict[str, Any] = {}
    if has_files:
        content = {
            Format.CSV.media_type: {"schema": {"type": "string"}},
            Format.PARQUET.media_type: {"schema": {"type": "string", "format": "binary"}},
            Format.XLSX.media_type: {"schema": {"type": "string", "format": "binary"}},
        }
    headers = {
        name: {"description": text, "schema": {"type": kind}} for name, (text, kind) in _HEADERS.items()
    }  # fmt: skip
    answers: dict[int | str, dict[str, Any]] = {
        200: {"model": model, "description": "The answer.", "content": content, "headers": headers},
        304: {"description": "Nothing changed since the ETag that was sent."},
    }
    for status in sorted({*_USUAL, *more_errors, *((406, 413) if has_files else ())}):
        answers[status] = {
            "description": _ERRORS[status],
            "content": {"application/problem+json": {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}},
        }
    return {
        "summary": en,
        "description": description_en or en,
        "responses": answers,
        "openapi_extra": {
            "x-summary-zh": zh, "x-description-zh": description_zh, **({"x-example": example} if example else {})
        },
    }  # fmt: skip
