"""Export: all that is kept of a person, for them: JSON for programs, CSV for spreadsheets, a page to read."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from plait.report import csv_text

if TYPE_CHECKING:
    from plait.erasure.finding import Section

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1c2230}"
    "table{border-collapse:collapse;width:100%;margin:.5rem 0 2rem}th,td{border-bottom:1px solid #d8dce5;"
    "padding:.3rem .6rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}h2{margin:2rem 0 0}"
    ".quiet{color:#5b6475}"
)


def as_zip(sections: Sequence[Section], titles: Mapping[str, str], head: Mapping[str, str], *, now: datetime) -> bytes:
    """Give the archive; `titles` say each section in words, `head` what stands above all of them."""
    written = io.BytesIO()
    with ZipFile(written, "w", ZIP_DEFLATED) as archive:

        def put(name: str, text: str) -> None:
            archive.writestr(ZipInfo(name, now.timetuple()[:6]), text.encode(), ZIP_DEFLATED)

        put("data.json", _json(sections, head))
        put("read-me.html", _html(sections, titles, head))
        for section in sections:
            if section.rows:
                columns = _columns(section.rows)
                rows = [[_cell(row.get(name)) for name in columns] for row in section.rows]
                put(f"{section.name}.csv", csv_text(columns, rows))
    return written.getvalue()


def _json(sections: Sequence[Section], head: Mapping[str, str]) -> str:
    told = {section.name: {"count": section.count, "rows": section.rows} for section in sections}
    return json.dumps({**head, "kept": told}, ensure_ascii=False, indent=2, default=_plain)


def _html(sections: Sequence[Section], titles: Mapping[str, str], head: Mapping[str, str]) -> str:
    lines = "".join(f"<p>{escape(text)}</p>" for text in head.values())
    parts = "".join(_table(section, titles.get(section.name, section.name)) for section in sections)
    title = escape(next(iter(head.values()), ""))
    page = f"<title>{title}</title><style>{STYLE}</style></head><body>{lines}{parts}</body></html>\n"
    return f'<!doctype html><html><head><meta charset="utf-8">{page}'


def _table(section: Section, title: str) -> str:
    heading = f'<h2>{escape(title)} <span class="quiet">({section.count})</span></h2>'
    if not section.rows:
        return heading
    columns = _columns(section.rows)
    heads = "".join(f"<th>{escape(name)}</th>" for name in columns)
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(_cell(row.get(name)))}</td>' for name in columns)}</tr>" for row in section.rows
    )
    return f"{heading}<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _columns(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Name the columns that any row fills."""
    return list(dict.fromkeys(name for row in rows for name, value in row.items() if value not in (None, "", "{}")))


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=_plain).strip('"')


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value.isoformat()}{'' if value.tzinfo else 'Z'}"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return value.isoformat() if isinstance(value, date) else str(value)
