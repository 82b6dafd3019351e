"""Signed anchors: Ed25519, with a private key that only the environment knows.

``ONELEDGER_SIGNING_KEY`` is a PKCS#8 PEM, or the path of one; ``ONELEDGER_PUBLIC_KEY`` the public key, likewise. What
is signed are the 64 hexadecimal digits of an anchor, nothing else, so that `openssl pkeyutl` alone can verify it. The
key is never written, logged or put into a message.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oneledger.audit.lines import append_line, canonical, write_whole
from oneledger.settings import ConfigurationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNING_KEY = "ONELEDGER_SIGNING_KEY"
PUBLIC_KEY = "ONELEDGER_PUBLIC_KEY"
SIGNATURES_FILE = "signatures.jsonl"
KEYS_DIR = "keys"
_SIGNATURE = {"sequence": int, "anchor": str, "fingerprint": str, "signature": str}
HOW = "Make one with `openssl genpkey -algorithm ed25519 -out key.pem`, outside the repository (docs/audit.md)."


@dataclass(frozen=True)
class SigningKey:
    """A private key and what may be told of it."""

    private: Ed25519PrivateKey
    public_pem: bytes
    fingerprint: str

    def __repr__(self) -> str:
        return f"SigningKey({self.fingerprint})"


@dataclass(frozen=True)
class PublicKey:
    """A public key; ``fingerprint`` is the SHA-256 of its DER form."""

    key: Ed25519PublicKey
    fingerprint: str


def signing_key() -> SigningKey | None:
    """The key of the environment; None when none is configured.

    Raises:
        ConfigurationError: the variable holds no Ed25519 private key. The message never shows what it holds.
    """
    given = os.environ.get(SIGNING_KEY, "")
    if not given.strip():
        return None
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        private = serialization.load_pem_private_key(_pem(given, SIGNING_KEY), password=None)
    except (ValueError, TypeError):
        # The cause is left out: a parser's message may quote what it read.
        raise ConfigurationError(f"{SIGNING_KEY} holds no PEM private key without a password. {HOW}") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise ConfigurationError(f"{SIGNING_KEY} holds a {type(private).__name__}, not an Ed25519 key. {HOW}")
    public = private.public_key()
    return SigningKey(private, public_pem(public), _fingerprint(public))


def public_key(given: str | None = None) -> PublicKey | None:
    """The public key to verify with: a path, or PEM text; by default ``ONELEDGER_PUBLIC_KEY``; None for neither.

    Raises:
        ConfigurationError: there is no Ed25519 public key in it.
    """
    text = given or os.environ.get(PUBLIC_KEY, "")
    if not text.strip():
        return None
    found = read_public_key(_pem(text, PUBLIC_KEY if given is None else "--public-key"))
    if found is None:
        raise ConfigurationError(
            f"{'--public-key' if given else PUBLIC_KEY} is no PEM of an Ed25519 public key. Write it with "
            "`openssl pkey -in key.pem -pubout -out public.pem`."
        )
    return found


def read_public_key(pem: bytes) -> PublicKey | None:
    """The key of a PEM; None when it is none."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, TypeError):
        return None
    return PublicKey(key, _fingerprint(key)) if isinstance(key, Ed25519PublicKey) else None


def record_signature(seals_dir: Path, key: SigningKey, sequence: int, anchor: str) -> None:
    """Sign an anchor and keep the signature, and the public key, beside the ledger."""
    kept = key_path(seals_dir, key.fingerprint)
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, key.public_pem)
    line = canonical(
        {
            "sequence": sequence,
            "anchor": anchor,
            "fingerprint": key.fingerprint,
            "signature": base64.b64encode(key.private.sign(anchor.encode())).decode(),
        }
    )
    append_line(seals_dir / SIGNATURES_FILE, line)


def read_signatures(seals_dir: Path) -> list[dict[str, Any] | None]:
    """Every line of ``signatures.jsonl``; None for one that is not as it was written."""
    path = seals_dir / SIGNATURES_FILE
    found: list[dict[str, Any] | None] = []
    for line in path.read_bytes().splitlines(keepends=True) if path.is_file() else []:
        try:
            content = json.loads(line)
            is_ours = canonical(content) == line and {key: type(one) for key, one in content.items()} == _SIGNATURE
        except (ValueError, TypeError, AttributeError):
            is_ours = False
        found.append(content if is_ours else None)
    return found


def is_signed_by(key: PublicKey, anchor: str, signature: str) -> bool:
    """Whether this signature (base64) of the anchor was made with the private key of ``key``."""
    from cryptography.exceptions import InvalidSignature

    try:
        content = base64.b64decode(signature, validate=True)
        key.key.verify(content, anchor.encode())
    except (InvalidSignature, binascii.Error):
        return False
    # Bits behind the last byte are no part of what is decoded, and still must be what was written.
    return base64.b64encode(content).decode() == signature


def key_path(seals_dir: Path, fingerprint: str) -> Path:
    return seals_dir / KEYS_DIR / f"{fingerprint}.pem"


def _pem(given: str, name: str) -> bytes:
    """PEM text as it is, or the file that is named."""
    if "-----BEGIN" in given:
        # A variable of a service file or container often carries \n as two characters.
        return given.replace("\\n", "\n").encode()
    try:
        return Path(given.strip()).expanduser().read_bytes()
    except (OSError, ValueError):
        raise ConfigurationError(f"{name} is neither PEM text nor the path of a file that can be read. {HOW}") from None


def public_pem(key: Ed25519PublicKey) -> bytes:
    """The one PEM of a public key."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _fingerprint(key: Ed25519PublicKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
