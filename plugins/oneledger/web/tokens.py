"""The way in when the pages run alone: a token a person, given in the environment or made for this one run."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import HTTPConnection

from oneledger.settings import ConfigurationError
from oneledger.web.access import Role, Visitor
from oneledger.web.limits import check_login_rate

TOKENS_VARIABLE = "ONELEDGER_WEB_TOKENS"
COOKIE = "oneledger_session"
SESSION_SECONDS = 12 * 3600
SHORTEST_TOKEN = 16
_ENTRY = re.compile(r"^(?:(?P<name>[^:=,]{1,40}):)?(?P<role>[a-z]+)=(?P<token>[^\s,=]+)$")


@dataclass
class TokenAccess:
    """Visitors by token: ``Authorization: Bearer …`` for programs, a signed cookie after the login page for people.

    Attributes:
        visitors: SHA-256 of a token → whose it is; the tokens themselves are not kept.
        own_token: made for this run when the environment gives none; printed once by whoever starts the pages.
    """

    visitors: dict[str, Visitor]
    own_token: str | None = None
    _serializer: URLSafeTimedSerializer = field(init=False)

    def __post_init__(self) -> None:
        # Sessions outlive a restart with the same tokens, and end when a token is taken away.
        secret = hashlib.sha256("".join(sorted(self.visitors)).encode()).hexdigest()
        self._serializer = URLSafeTimedSerializer(secret, salt="oneledger-session")

    async def visitor(self, request: HTTPConnection) -> Visitor | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            known = self.of_token(token.strip())
            if known is None:
                check_login_rate(request)  # a wrong token is a try to log in, whichever way it comes
            return known
        cookie = request.cookies.get(COOKIE)
        if not cookie:
            return None
        try:
            digest = self._serializer.loads(cookie, max_age=SESSION_SECONDS)
        except BadSignature:
            return None
        return self.visitors.get(digest)

    def of_token(self, token: str) -> Visitor | None:
        """Whose token it is; takes as long for a wrong one as for a right one."""
        digest = _digest(token)
        found = None
        for known, visitor in self.visitors.items():
            if hmac.compare_digest(known, digest):
                found = visitor
        return found

    def session(self, token: str) -> str:
        """What the cookie holds after somebody logged in with this token."""
        return self._serializer.dumps(_digest(token))

    def login_address(self, request: HTTPConnection) -> str:
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return f"{request.scope.get('root_path', '')}/login?next={quote(path, safe='')}"


def token_access(environment: Mapping[str, str]) -> TokenAccess:
    """The tokens of ``ONELEDGER_WEB_TOKENS``, or one of our own with the role of an engineer.

    The variable holds entries joined by commas: ``name:role=token`` or ``role=token``, with the roles viewer, auditor
    and engineer.

    Raises:
        ConfigurationError: an entry cannot be read, a role does not exist, a token is short or given twice. The message
            names the entry by its number and never shows a token.
    """
    text = environment.get(TOKENS_VARIABLE, "").strip()
    if not text:
        token = secrets.token_urlsafe(24)
        return TokenAccess({_digest(token): Visitor("operator", Role.ENGINEER)}, own_token=token)
    visitors: dict[str, Visitor] = {}
    for number, entry in enumerate(text.split(","), start=1):
        where = f"{TOKENS_VARIABLE}, entry {number}"
        match = _ENTRY.match(entry.strip())
        if match is None:
            raise ConfigurationError(f"{where}: expected name:role=token, for instance 王敏:auditor=…; correct it.")
        try:
            role = Role[match["role"].upper()]
        except KeyError:
            roles = ", ".join(one.title_en for one in Role)
            raise ConfigurationError(f"{where}: there is no role {match['role']!r}; expected one of {roles}.") from None
        if len(match["token"]) < SHORTEST_TOKEN:
            raise ConfigurationError(
                f"{where}: the token has fewer than {SHORTEST_TOKEN} characters and could be guessed; make one with "
                "`python -c 'import secrets; print(secrets.token_urlsafe(24))'`."
            )
        digest = _digest(match["token"])
        if digest in visitors:
            raise ConfigurationError(f"{where}: the same token stands in an earlier entry; give each person their own.")
        visitors[digest] = Visitor(match["name"] or role.title_en, role)
    return TokenAccess(visitors)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
