"""Files of a folder: found, unpacked, decoded. What comes out is a plain file in UTF-8, whatever went in.

A file that was never packed and is UTF-8 already is read where it lies; everything else is written as a stream to a
working copy, which is removed once it is staged.
"""

from __future__ import annotations

import codecs
import gzip
import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from plait.failure import Said, Unfit
from plait.sources.form import FileMapping

CHUNK = 1 << 20
MOST_EXPANSION, FREE_EXPANSION = 200, 1 << 30  # text packs 3 to 30 fold; below 1 GiB even 1000 fold harms nobody
MOST_BYTES = 50 << 30
SAMPLE = 1 << 20  # bytes from the first one that is not UTF-8, on which an encoding is judged
TEXT = ("csv", "jsonl")
_ESCAPED = re.compile(rb'\\[\\"]')
_SUFFIXES = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".parquet": "parquet", ".xlsx": "xlsx",
}  # fmt: skip
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: it begins with the same two bytes
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class UnreadableFile(Unfit, ValueError):
    """A file that cannot be read; nothing of the load has been staged."""

    def __init__(self, file: str, says: str, /, **values: object) -> None:
        super().__init__(Said("{file}: {problem}", file=file, problem=Said(says, **values)))


@dataclass(frozen=True, slots=True)
class Found:
    """A file that a pattern fits, or a member of an archive: `name` for people, `digest` of its bytes on disk."""

    name: str
    path: Path
    member: str | None
    mapping: FileMapping
    format: str
    digest: str


@dataclass(frozen=True, slots=True)
class Plain:
    """A file ready to be read: unpacked and, where it is text, UTF-8. `encoding` is what it was."""

    path: Path
    encoding: str | None
    temporary: bool


def pattern_fits(pattern: str, name: str) -> bool:
    """Tell whether a glob fits a relative path: `*` and `?` stay inside a folder, `**/` goes through any."""
    parts = re.split(r"(\*\*/|\*|\?)", pattern)
    known = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    return re.fullmatch("".join(known.get(part, re.escape(part)) for part in parts), name) is not None


def members(name: str, path: Path, mapping: FileMapping) -> list[Found]:
    """Give what is read of one file: itself, or the members of an archive."""
    digest = digest_of(name, path)
    if path.stat().st_size == 0:
        raise _empty(name)
    if not name.lower().endswith(".zip"):
        return [Found(name, path, None, mapping, format_of(name, mapping), digest)]
    with _opened_zip(name, path) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        check_expansion(name, sum(info.file_size for info in infos), path.stat().st_size)
        chosen = [info.filename for info in infos if _wanted(info.filename, mapping)]
        for info in infos:
            if info.filename.startswith("/") or ".." in PurePosixPath(info.filename).parts:
                raise UnreadableFile(
                    name, "its member {member!r} points outside the archive: pack it again", member=info.filename
                )
            if info.filename in chosen and info.flag_bits & 1:
                raise UnreadableFile(
                    name, "its member {member!r} needs a password: pack it without one", member=info.filename
                )
    if not chosen:
        members = ", ".join(i.filename for i in infos) or Said("none")
        raise UnreadableFile(name, "holds no data file; its members: {members}", members=members)
    if len(set(chosen)) < len(chosen):
        raise UnreadableFile(name, "holds two members of the same name: pack it again")
    return [Found(f"{name}/{member}", path, member, mapping, format_of(member, mapping), digest) for member in chosen]


def _empty(name: str) -> UnreadableFile:
    return UnreadableFile(name, "is empty: not even a header; export it again or take it away")


def _wanted(member: str, mapping: FileMapping) -> bool:
    if mapping.member is not None:
        return pattern_fits(mapping.member, member) or pattern_fits(mapping.member, PurePosixPath(member).name)
    known = PurePosixPath(member).suffix.lower() in _SUFFIXES
    return known and not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(member).parts)


def is_data(name: str) -> bool:
    """Tell whether a name is that of a file that can be read, packed or not."""
    return PurePosixPath(name.lower().removesuffix(".gz")).suffix in (*_SUFFIXES, ".zip")


def format_of(name: str, mapping: FileMapping) -> str:
    """Give the format of a file, stated or told from its name."""
    if mapping.format:
        return mapping.format
    suffix = PurePosixPath(name.lower().removesuffix(".gz")).suffix
    if suffix not in _SUFFIXES:
        raise UnreadableFile(
            name, "its name does not tell its format: write format = one of {known} into the [[file]]",
            known=", ".join(_SUFFIXES),
        )  # fmt: skip
    return _SUFFIXES[suffix]


def digest_of(name: str, path: Path) -> str:
    """Give the SHA-256 of a file's bytes in hexadecimal."""
    digest = sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise UnreadableFile(name, "cannot be read: {because}", because=str(error.strerror)) from error
    return digest.hexdigest()


def check_expansion(name: str, size: int, packed: int) -> None:
    """Refuse what unpacks to more than is plausible for data: a bomb, or a mistake as costly as one."""
    if size > MOST_BYTES or (size > FREE_EXPANSION and size > MOST_EXPANSION * packed):
        raise UnreadableFile(
            name,
            "unpacks to {size:,} bytes or more from {packed:,}: more than {fold} fold over {free} GiB, or {most} "
            "GiB in all, is not unpacked; unpack it yourself if you trust it",
            size=size, packed=packed, fold=MOST_EXPANSION, free=FREE_EXPANSION >> 30, most=MOST_BYTES >> 30,
        )  # fmt: skip


@contextmanager
def _opened_zip(name: str, path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError) as error:
        raise UnreadableFile(
            name, "is no sound zip archive ({error}): fetch or pack it again", error=str(error)
        ) from error


@contextmanager
def opened(found: Found) -> Iterator[BinaryIO]:
    """Open the bytes of a file, unpacked."""
    if found.member is not None:
        with _opened_zip(found.name, found.path) as archive, archive.open(found.member) as stream:
            yield stream  # type: ignore[misc] # typeshed: IO[bytes], which is read only
    elif found.name.lower().endswith(".gz"):
        try:
            with gzip.open(found.path) as stream:
                yield stream  # type: ignore[misc] # the same
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise UnreadableFile(
                found.name, "is no whole gzip file ({error}): fetch it again", error=str(error)
            ) from error
    else:
        with found.path.open("rb") as stream:
            yield stream


def prepare(found: Found, work: Path) -> Plain:
    """Unpack and decode a file, so that its readers see plain UTF-8 (or plain Parquet, XLSX)."""
    packed = found.member is not None or found.name.lower().endswith(".gz")
    unpacked = Plain(_unpack(found, work) if packed else found.path, None, packed)
    try:
        plain = _as_utf8(found, unpacked, work)
    except BaseException:
        remove_copy(unpacked)
        raise
    if plain.path != unpacked.path:
        remove_copy(unpacked)
    return _with_doubled_quotes(found, plain, work) if found.mapping.escape else plain


def _with_doubled_quotes(found: Found, plain: Plain, work: Path) -> Plain:
    r"""Write a quote that a backslash escapes as two, which is how quotes are read; a backslash escapes itself."""
    target, pending = _working_copy(found, work, "quotes"), b""
    with plain.path.open("rb") as source, target.open("wb") as copy:
        while chunk := source.read(CHUNK):
            chunk = pending + chunk
            whole = len(chunk.rstrip(b"\\"))
            pending = chunk[whole:]
            copy.write(_ESCAPED.sub(_doubled, chunk[:whole]))
        copy.write(pending)
    remove_copy(plain)
    return Plain(target, plain.encoding, temporary=True)


def _doubled(escaped: re.Match[bytes]) -> bytes:
    return b'""' if escaped.group().endswith(b'"') else escaped.group()


def _as_utf8(found: Found, unpacked: Plain, work: Path) -> Plain:
    path = unpacked.path
    if path.stat().st_size == 0:
        raise _empty(found.name)
    if found.format not in TEXT:
        return unpacked
    encoding = found.mapping.encoding or detect_encoding(found.name, path)
    if encoding not in ("utf-8", "utf-8-sig", "ascii"):
        return Plain(_decode(found, path, encoding, _working_copy(found, work, "utf8")), encoding, temporary=True)
    first = _first_undecodable(path, encoding) if found.mapping.encoding else None  # detected: decoded already
    if first is not None:
        raise _undecodable(found, encoding, first)
    return Plain(path, encoding, unpacked.temporary)


def _working_copy(found: Found, work: Path, what: str) -> Path:
    name = sha256(f"{found.digest} {found.member} {found.name}".encode()).hexdigest()[:32]
    return work / f"{name}.{what}.tmp"


def _unpack(found: Found, work: Path) -> Path:
    target = _working_copy(found, work, "plain")
    packed = found.path.stat().st_size
    size = 0
    try:
        with opened(found) as source, target.open("wb") as copy:
            while chunk := source.read(CHUNK):
                size += len(chunk)
                check_expansion(found.name, size, packed)  # what an archive declares about itself may be a lie
                copy.write(chunk)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return target


def _first_undecodable(path: Path, encoding: str) -> int | None:
    """Give the position of the first byte that does not decode, or None."""
    decoder = codecs.getincrementaldecoder(encoding)()
    start = 0
    with path.open("rb") as stream:
        while True:
            chunk = stream.read(CHUNK)
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                return start - pending + error.start
            if not chunk:
                return None
            start += len(chunk)


def _undecodable(found: Found, encoding: str, position: int) -> UnreadableFile:
    return UnreadableFile(
        found.name,
        "is not {encoding}: byte {position:,} does not decode; take `encoding` out of the [[file]] to have it "
        "detected, or correct it",
        encoding=encoding, position=position,
    )  # fmt: skip


def _decode(found: Found, path: Path, encoding: str, target: Path) -> Path:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as stream, target.open("wb") as copy:
            first = True
            while True:
                chunk = stream.read(CHUNK)
                text = decoder.decode(chunk, final=not chunk)
                copy.write((text.removeprefix("\ufeff") if first else text).encode())
                first = first and not text
                if not chunk:
                    return target
    except (UnicodeError, OverflowError) as error:
        target.unlink(missing_ok=True)
        raise _undecodable(found, encoding, _first_undecodable(path, encoding) or 0) from error


def detect_encoding(name: str, path: Path) -> str:
    """Tell the encoding of a text file, or refuse to guess and name the candidates.

    A byte-order mark decides; then strict UTF-8 over the whole file; then the habits of the old encodings: UTF-16 has
    a zero byte at every other place, Korean (CP949, of which EUC-KR is a part) writes runs of byte pairs that decode
    to Hangul, Western European text has single letters above ASCII between plain ones.
    """
    with path.open("rb") as stream:
        head = stream.read(SAMPLE)
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return encoding
    if zero := _utf16_without_mark(head):
        return zero
    first = _first_undecodable(path, "utf-8")
    if first is None:
        return "utf-8"
    with path.open("rb") as stream:
        stream.seek(max(0, first - SAMPLE // 2))
        sample = stream.read(SAMPLE)
    runs = re.findall(rb"[\x80-\xff]+", sample)
    high = sum(map(len, runs))
    if _is_korean(sample):
        return "cp949"
    lonely = sum(len(run) for run in runs if len(run) <= 2)  # noqa: PLR2004 - two such letters stand together at most
    if lonely >= 0.9 * high:
        return "latin-1" if re.search(rb"[\x81\x8d\x8f\x90\x9d]", sample) else "windows-1252"
    candidates = [
        code for code in ("cp949", "windows-1252", "cp1251", "cp932", "gb18030", "big5") if _decodes(sample, code)
    ]
    raise UnreadableFile(
        name,
        "is not UTF-8 (byte {first:,}) and its encoding cannot be told; these decode it: {candidates}: write "
        "encoding = one of them into the [[file]]",
        first=first, candidates=", ".join(candidates),
    )  # fmt: skip


def _utf16_without_mark(head: bytes) -> str | None:
    even, odd = head[0:4096:2].count(0), head[1:4096:2].count(0)
    half = len(head[:4096]) // 2
    if half and odd > 0.5 * half and even < 0.1 * half:
        return "utf-16-le"
    if half and even > 0.5 * half and odd < 0.1 * half:
        return "utf-16-be"
    return None


def _is_korean(sample: bytes) -> bool:
    """Tell whether a sample is CP949: it decodes, nearly all to Hangul, nearly all in runs of pairs above ASCII."""
    whole = (
        sample[sample.find(b"\n") + 1 : sample.rfind(b"\n") + 1] or sample
    )  # a cut character at an end proves nothing
    for part in (whole, sample):
        text = part.decode("cp949", errors="replace")
        strange = [char for char in text if not char.isascii()]
        hangul = sum("\uac00" <= char <= "\ud7a3" for char in strange)
        paired = sum(len(run) for run in re.findall(rb"[\x80-\xff]+", part) if len(run) % 2 == 0)
        high = len(re.findall(rb"[\x80-\xff]", part))
        if (
            strange
            and text.count("\ufffd") <= (part is sample) * 2
            and hangul >= 0.8 * len(strange)
            and paired >= 0.7 * high
        ):
            return True
    return False


def _decodes(sample: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def remove_copy(plain: Plain) -> None:
    """Remove a working copy; a file that was read where it lies stays."""
    if plain.temporary:
        plain.path.unlink(missing_ok=True)


def write_through(path: Path) -> None:
    """Make the bytes of a finished file survive a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
