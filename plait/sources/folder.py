"""Folder: which files are read, and as what: by the pattern of their name, or by the columns of their header.

A file is of the shape whose columns it has; where it has those of several, of the one that names the most. Two that
name as many leave it open: such a file is not read, as a guess could be wrong without anybody seeing it.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path, PurePosixPath

from plait.sources.delimited import DELIMITERS, HEAD, header_in
from plait.sources.file import TEXT, Found, UnreadableFile, is_data, members, opened, pattern_fits
from plait.sources.form import FileMapping
from plait.sources.spelling import fits, spelled
from plait.sources.table import names_in

FIRST_LINES = 20  # of JSON, in which names are looked for
Names = frozenset[str]


def find(folder: Path, mappings: Sequence[FileMapping], *, work: Path) -> tuple[list[Found], list[str]]:
    """List the files to read, each with the `[[file]]` that fits it, and the names of those that nothing fits."""
    if not folder.exists():
        raise UnreadableFile(str(folder), "is not there: name a file or a folder that exists")
    named = [mapping for mapping in mappings if not mapping.columns]
    shapes = [mapping for mapping in mappings if mapping.columns]
    found: list[Found] = []
    left: list[str] = []
    for path in sorted(_entries(folder, work)):
        name = path.relative_to(folder).as_posix() if folder.is_dir() else path.name
        mapping = _first_fitting(named, name, single=not folder.is_dir())
        if mapping is not None and path.is_dir():
            raise UnreadableFile(name, "is a folder, yet a pattern fits it: rename it or narrow the pattern")
        if mapping is not None:
            found += members(name, path, mapping)
        elif path.is_file():
            known, unknown = _recognised(name, path, shapes)
            found += known
            left += unknown
    return found, left


def recognise(file: Found, shapes: Sequence[FileMapping]) -> FileMapping | None:
    """Give the shape of a file; None where none or several fit. Capitals matter only where nothing fits with them."""
    last = PurePosixPath(file.member or file.name).name
    heads = _heads(file, shapes)
    fitting = {
        id(shape): shape for shape, names in heads if names.issuperset(shape.columns) and _fits_name(shape, last)
    }
    if not fitting:
        fitting = {
            id(shape): spelled(shape, names) for shape, names in heads if fits(shape, names) and _fits_name(shape, last)
        }
    most = max((_weight(shape) for shape in fitting.values()), default=None)
    best = [shape for shape in fitting.values() if _weight(shape) == most]
    return best[0] if len(best) == 1 else None


def _fits_name(shape: FileMapping, name: str) -> bool:
    patterns = [PurePosixPath(pattern).name.casefold() for pattern in shape.patterns]
    return not patterns or any(pattern_fits(pattern, name.casefold()) for pattern in patterns)


def names_of(file: Found) -> Names:
    """Give the column names of a file, as far as they can be told; for whoever has no mapping of it yet."""
    heads = _heads(file, [file.mapping])
    return max((names for _, names in heads), key=len, default=frozenset())


def _recognised(name: str, path: Path, shapes: Sequence[FileMapping]) -> tuple[list[Found], list[str]]:
    """Give what of a file is of a known shape, and the names of what is not."""
    if not shapes or not is_data(name) or not path.stat().st_size:
        return [], [name]
    try:
        files = members(name, path, FileMapping((), "", ()))
    except UnreadableFile:
        return [], [name]
    told = [(file, recognise(file, shapes)) for file in files]
    known = [replace(file, mapping=shape) for file, shape in told if shape is not None]
    return known, [file.name for file, shape in told if shape is None]


def _weight(shape: FileMapping) -> tuple[int, bool]:
    return len(set(shape.columns)), bool(shape.patterns)


def _heads(file: Found, shapes: Sequence[FileMapping]) -> list[tuple[FileMapping, Names]]:
    """Read a file's column names, for delimited text as each shape would and with each mark that may part them."""
    try:
        with opened(file) as stream:
            head = stream.read(HEAD) if file.format in TEXT else stream.read()
    except UnreadableFile:
        return []
    if file.format != "csv":
        read = {"jsonl": _json_names, "parquet": _parquet_names, "xlsx": _sheet_names}[file.format]
        names = read(head)
        return [(shape, names) for shape in shapes]
    return _delimited_heads(_utf8(head), shapes)


def _delimited_heads(head: bytes, shapes: Sequence[FileMapping]) -> list[tuple[FileMapping, Names]]:
    read: dict[tuple[int, str | None, str], Names] = {}
    found: list[tuple[FileMapping, Names]] = []
    for shape in shapes:
        for mark in shape.delimiter or DELIMITERS:
            key = (shape.skip, shape.comment, mark)
            if key not in read:
                header = header_in(head, skip=shape.skip, delimiter=mark, needed=(), comment=shape.comment)
                read[key] = frozenset(header.names if header else ())
            found.append((shape, read[key]))
    return found


def _json_names(head: bytes) -> Names:
    return frozenset(names_in(b"\n".join(_utf8(head).splitlines()[:FIRST_LINES])))


def _parquet_names(content: bytes) -> Names:
    import pyarrow as pa
    import pyarrow.parquet

    try:
        return frozenset(pyarrow.parquet.read_schema(BytesIO(content)).names)
    except (pa.ArrowInvalid, OSError):
        return frozenset()


def _sheet_names(content: bytes) -> Names:
    """Give the header of a workbook's only sheet; none where there are several."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_filelike(BytesIO(content))
        if len(book.sheet_names) != 1:
            return frozenset()
        rows = book.get_sheet_by_index(0).to_python(skip_empty_area=False, nrows=FIRST_LINES)
    except (CalamineError, OSError):
        return frozenset()
    return frozenset(str(cell).strip() for cell in next((row for row in rows if any(row)), []))


def _utf8(head: bytes) -> bytes:
    """Give the first bytes of a text as UTF-8, as far as a header needs it: those of exports are mostly ASCII."""
    for bom, encoding in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if head.startswith(bom):
            return head.decode(encoding, "ignore").removeprefix("\ufeff").encode()
    for encoding, place in (("utf-16-le", 1), ("utf-16-be", 0)):
        if head[place:200:2].count(0) > len(head[:200]) // 4:
            return head.decode(encoding, "ignore").encode()
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return head.decode("latin-1").encode()
    return head


def _entries(folder: Path, work: Path) -> Iterator[Path]:
    if not folder.is_dir():
        yield folder
        return
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path != work and work not in path.parents:
            yield path


def _first_fitting(mappings: Sequence[FileMapping], name: str, *, single: bool) -> FileMapping | None:
    for mapping in mappings:
        patterns = [PurePosixPath(p).name for p in mapping.patterns] if single else list(mapping.patterns)
        if any(pattern_fits(pattern, name) for pattern in patterns):
            return mapping
    return None
