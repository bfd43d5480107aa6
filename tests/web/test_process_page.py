"""The process page: a drawing with every number beneath, and the map that another tool gives of the same log."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from xml.etree import ElementTree as ET

import duckdb
import pyarrow as pa
import pytest
from django.test import Client
from test_process import SECOND, oracle

from plait.measures._process import log
from plait.web import flow, reader
from plait.web.flow import Line, Step
from plait.web.results import Ask

ClientOf = Callable[[str], Client]
SVG = r'<svg class="flow".*?</svg>'


def test_the_map_is_drawn_and_told(client_of: ClientOf) -> None:
    """Each line of the drawing opens its row; the drawing is whole XML, in a language that writes 1,5 too."""
    mara = client_of("mara")
    page = mara.get("/process/?case=deal&shown=100&whole=1").content.decode()
    svg = re.search(SVG, page, re.DOTALL)
    assert svg is not None
    drawing = ET.fromstring(svg[0])  # noqa: S314 - of our own page
    opened = [one.attrib["href"].removeprefix("#") for one in drawing.iter("a")]
    assert len(opened) > 5
    assert all(f'id="{row}"' in page for row in opened)
    assert "Deal opened to Deal changed: 138 times in 138 cases, median wait 15.2 d" in unescape(page)
    assert not re.search(r"\sstyle=|\son\w+=", page)
    for panel in ("steps", "variants"):
        assert "Deal opened" in mara.get(f"/process/{panel}/?case=deal").content.decode()
    french = ET.fromstring(re.search(SVG, _in_french(mara), re.DOTALL)[0])  # type: ignore[index] # noqa: S314
    sizes = [one.attrib["stroke-width"] for one in french.iter("path") if "stroke-width" in one.attrib]
    assert sizes == [one.attrib["stroke-width"] for one in drawing.iter("path") if "stroke-width" in one.attrib]


def _in_french(client: Client) -> str:
    client.post("/language/", {"language": "fr", "next": "/process/"})
    return client.get("/process/?case=deal&shown=100").content.decode()


def test_what_makes_no_sense_is_refused_and_what_nobody_did_is_said(client_of: ClientOf) -> None:
    mara = client_of("mara")
    refused = mara.get("/process/?shown=7")
    assert refused.status_code == 400
    assert "shown cannot be '7'; allowed: a whole number from 10 to 100." in unescape(refused.content.decode())
    assert "case cannot be" in unescape(mara.get("/process/?case=cat").content.decode())
    assert "No case has two steps yet." in mara.get("/process/?from=2031-01-01").content.decode()
    assert client_of("pat").get("/process/").status_code == 404


@pytest.mark.django_db
def test_the_demo_has_the_map_that_pm4py_gives(tmp_path: Path, home: Path) -> None:  # noqa: ARG001 - holds the demo
    """Counts are equal and medians within a second, from lead to cash."""
    opened = reader.results().timeline()
    steps = opened.engine.run(log(opened.facts(), "account", ()).order_by("case", "at", "source", "id"))
    assert isinstance(steps, pa.Table)
    file = tmp_path / "demo.parquet"
    duckdb.from_arrow(steps).write_parquet(str(file))
    told = oracle("demo", file, "case", "step", "at", "source", "id")
    rows = reader.answer(Ask.of("process_map", {"case": "account"}, scope=opened.scope)).records()
    assert {(row["from_step"], row["to_step"]): row["times"] for row in rows} == {
        edge: times for edge, (times, _wait) in told.items()
    }
    off = [
        abs(float(str(row["wait_days"])) - told[str(row["from_step"]), str(row["to_step"])][1] / 86_400) for row in rows
    ]
    assert max(off) <= SECOND


def test_a_step_stands_below_those_that_lead_to_it() -> None:
    """Lines to an earlier step run back; the same lines in another order give the same drawing; nothing overlaps."""
    steps = {name: Step(name, place, name) for place, name in enumerate("abcde")}
    lines = [Line(one, other, weight, "1 d", "") for one, other, weight in (
        ("a", "b", 9), ("b", "c", 7), ("a", "c", 2), ("c", "b", 3), ("c", "d", 5), ("b", "b", 4), ("a", "e", 1),
    )]  # fmt: skip
    told = flow.drawn(steps, lines)
    y = {box.step.name: box.y for box in told.boxes}
    assert y["a"] < y["b"] < y["c"] < y["d"]
    assert {(one.line.one, one.line.other) for one in told.lines if one.back} == {("c", "b"), ("b", "b")}
    assert set(flow.drawn(steps, lines[::-1]).lines) == set(told.lines)
    spots = [(box.x, box.y) for box in told.boxes]
    assert all(
        abs(one[0] - two[0]) >= flow.WIDTH or abs(one[1] - two[1]) >= flow.HEIGHT
        for number, one in enumerate(spots) for two in spots[:number]
    )  # fmt: skip
    few = flow.frequent(lines, steps, 60)
    assert [(line.one, line.other) for line in few] == [("a", "b"), ("b", "c"), ("c", "d")]
