"""Where the next page begins: after which row, of which question, in which version.

A cursor holds the version, so whoever pages on reads the same rows to the end, whatever is published meanwhile. It
holds no secret and opens nothing: a changed one begins elsewhere in the same answer, or is refused.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass

from oneledger.web.api.problems import BadParameter, BadQuestionError

LONGEST = 4000
_VERSION = re.compile(r"[0-9A-Za-z.\-]{4,80}")


@dataclass(frozen=True)
class Cursor:
    """The place after a row.

    Attributes:
        version: of which published version.
        question: digest of table, filters and order; a cursor is good for the question that it came from only.
        after: the row's values in the order's columns, as DuckDB writes them; None for null.
    """

    version: str
    question: str
    after: tuple[str | None, ...]

    def encoded(self) -> str:
        content = json.dumps([self.version, self.question, *self.after], ensure_ascii=False, separators=(",", ":"))
        return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def decoded(text: str) -> Cursor:
    """The cursor of a link.

    Raises:
        BadQuestionError: it is none.
    """
    try:
        content = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        version, question, *after = content
        is_right = _VERSION.fullmatch(version) and isinstance(question, str) and after
        if not is_right or any(not isinstance(one, str | None) or "\0" in (one or "") for one in after):
            raise ValueError(text)
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise BadQuestionError(
            [BadParameter("cursor", text, "请使用上一页 links.next 给出的地址。 "
                                          "Take the address in links.next of the page "
                          "before; a cursor is not made by hand.")]
        ) from None  # fmt: skip
    return Cursor(version, question, tuple(after))
