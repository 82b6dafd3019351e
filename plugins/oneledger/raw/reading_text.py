"""Read a delimited file as the catalogue agreed it, or as it really is written when the catalogue allows that."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from oneledger.catalogue import Entity, FormatSpec, worded
from oneledger.raw.contract import normalise
from oneledger.raw.decoding import DecodedFile, decode_file, fitting_encodings
from oneledger.sources.refusal import RefusalError

_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class ReadText:
    """A decoded file, how it was read, and what is to be said of that.

    ``has_replaced``: single bytes fit no encoding and stand as U+FFFD; their records are malformed.
    """

    decoded: DecodedFile
    spec: FormatSpec
    warnings: tuple[str, ...] = ()
    has_replaced: bool = False


def read_text(entity: Entity, path: Path, target: Path) -> ReadText:
    """Decode one file; another encoding or delimiter is found by the headings that it brings to light.

    Raises:
        RefusalError: gzip, encoding, delimiter or header are not as agreed, and the catalogue refuses that.
    """
    spec = entity.format
    decisions = entity.decisions
    is_optional = decisions.not_compressed == "accept"
    try:
        text = ReadText(decode_file(path, target, spec, is_gzip_optional=is_optional), spec)
    except RefusalError as error:
        if error.problem not in ("other_encoding", "undecodable_bytes"):
            raise
        other = _other_encoding(entity, path, target, error.detail["fitting"])
        if other is not None and decisions.other_encoding == "warn":
            return _with_delimiter(entity, path, target, other)
        if other is not None or decisions.undecodable_bytes == "refuse":
            raise
        decoded = decode_file(path, target, spec, errors="replace", is_gzip_optional=is_optional)
        return _with_delimiter(entity, path, target, ReadText(decoded, spec, has_replaced=True))
    text = _with_delimiter(entity, path, target, text)
    if _known_share(entity, text.decoded.header) >= 0.5 or text.decoded.header == []:
        return text
    # Bytes of one encoding can often be read as another: then every heading is strange.
    other = _other_encoding(entity, path, target, fitting_encodings(path, spec))
    if other is None:
        return ReadText(decode_file(path, target, text.spec, is_gzip_optional=is_optional), text.spec, text.warnings)
    if decisions.other_encoding == "warn":
        return _with_delimiter(entity, path, target, other)
    raise RefusalError(
        f"{path.name} is not written in {spec.encoding}: read so, its header is "
        f"{spec.delimiter.join(text.decoded.header)[:80]!r}; read as {other.spec.encoding}, it is as agreed.",
        "The sender writes the file in the agreed encoding; if it was changed for good, set `format.encoding`.",
        {"file": path.name, "encoding": spec.encoding, "fitting": [other.spec.encoding]},
        problem="other_encoding",
    )


def _other_encoding(entity: Entity, path: Path, target: Path, fitting: list[str]) -> ReadText | None:
    """The file in the encoding under which most of its headings are known."""
    for encoding in fitting:
        spec = entity.format.model_copy(update={"encoding": encoding})
        try:
            decoded = decode_file(path, target, spec, is_gzip_optional=entity.decisions.not_compressed == "accept")
        except RefusalError:
            continue
        if _known_share(entity, decoded.header) >= 0.5:
            said = worded("other_encoding", f"{path.name} is {encoding}, not {entity.format.encoding}; read so")
            return ReadText(decoded, spec, (said,))
    return None


def _with_delimiter(entity: Entity, path: Path, target: Path, text: ReadText) -> ReadText:
    header, spec = text.decoded.header, text.spec
    if len(header) != 1 or len(_expected(entity)) < 2:
        return text
    other = next((mark for mark in _DELIMITERS if mark != spec.delimiter and mark in header[0]), None)
    if other is None:
        return text
    if entity.decisions.other_delimiter == "refuse":
        raise RefusalError(
            f"{path.name}: the header is one field, {header[0][:120]!r}; it seems to be parted by {other!r}, "
            f"and the catalogue says {spec.delimiter!r}.",
            "The sender writes the agreed delimiter; if it was changed for good, set `format.delimiter`.",
            {"file": path.name},
            problem="other_delimiter",
        )
    changed = spec.model_copy(update={"delimiter": other})
    decoded = decode_file(
        path, target, changed, errors="replace" if text.has_replaced else "strict",
        is_gzip_optional=entity.decisions.not_compressed == "accept",
    )  # fmt: skip
    said = worded("other_delimiter", f"{path.name} is parted by {other!r}, not {spec.delimiter!r}; read so")
    return ReadText(decoded, changed, (*text.warnings, said), text.has_replaced)


def _expected(entity: Entity) -> set[str]:
    return {
        normalise(column.source_name)
        for column in entity.delivered_columns
        if column.source_name is not None and not column.is_field
    }


def _known_share(entity: Entity, header: list[str]) -> float:
    """The share of the agreed headings that stand in a header; of wide columns whether any of them does."""
    names = {normalise(name) for name in header}
    if entity.unpivot:
        return float(any(re.fullmatch(entity.unpivot.columns, name) for name in names))
    expected = _expected(entity)
    return len(expected & names) / len(expected) if expected else 1.0
