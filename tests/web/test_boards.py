"""The boards: each department's page of figures, drawings and listings."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

import pytest
from django.test import Client

from plait import desk
from plait.measure import known_measure
from plait.timeline import Scope
from plait.web import words
from plait.web.blocks import Board, Figure
from plait.web.board import all_boards
from plait.web.reader import first_day_not_seen, results
from plait.web.state import read_state
from plait.web.templatetags.plait import coded

ClientOf = Callable[[str], Client]
BOARDS = list(all_boards().values())
HOMES = [board for board in BOARDS if board.area != "numbers"]
each_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)


@each_board
def test_every_block_has_something_to_say_about_the_demo(board: Board, client_of: ClientOf) -> None:
    """No block of a board asks for what the measure does not have, and none is empty on a firm with every source."""
    client = client_of("cleo")
    for number, block in enumerate(board.blocks):
        response = client.get(f"/boards/{board.name}/{number}/")
        assert response.status_code == 200
        assert "empty-state" not in response.content.decode(), block


@each_board
def test_every_number_of_a_board_opens_the_drawer_that_holds_it(board: Board, client_of: ClientOf) -> None:
    client = client_of("cleo")
    for number, block in enumerate(board.blocks):
        if isinstance(block, Figure):
            page = client.get(f"/boards/{board.name}/{number}/").content.decode()
            where = re.findall(r'class="figure-value" hx-get="([^"]+)"', page)
            assert len(where) == 1
            drawer = client.get(unquote(where[0].replace("&amp;", "&")))
            assert drawer.status_code == 200
            head = words.paragraphs(known_measure(block.question.measure))[0]
            assert coded(head) in drawer.content.decode()


@pytest.mark.parametrize("board", HOMES, ids=lambda board: board.name)
def test_customers_come_first(board: Board) -> None:
    """What customers say stands before money and pipeline on every department's board."""
    first = board.blocks[0]
    assert isinstance(first, Figure)
    assert first.question.measure == "satisfaction"


@pytest.mark.parametrize("board", HOMES, ids=lambda board: board.name)
def test_a_board_begins_with_six_figures(board: Board) -> None:
    assert [isinstance(block, Figure) for block in board.blocks][:7] == [True] * 6 + [False]


def test_a_figure_says_what_the_measure_says(home: object, client_of: ClientOf) -> None:  # noqa: ARG001
    state = read_state({}, first_day_not_seen(None), as_of=None)
    ask = all_boards()["sales"].blocks[3].asks(state, Scope())[0]
    (row,) = results().table(ask).records()
    assert row["win_rate"] is not None
    page = client_of("sol").get("/boards/sales/3/").content.decode()
    assert f"{row['win_rate']:.1%}" in page


def test_a_page_asked_for_again_stands_whole(client_of: ClientOf) -> None:
    """First every block fetches itself; once all answers are kept the page needs no further request."""
    client = client_of("cleo")
    for number in range(len(all_boards()["company"].blocks)):
        client.get(f"/boards/company/{number}/")
    assert 'hx-trigger="load"' not in client.get("/boards/company/").content.decode()
    assert 'hx-trigger="load"' in client.get("/boards/company/?as_of=2025-11-11").content.decode()


def test_everybody_lands_on_the_board_of_their_department(client_of: ClientOf) -> None:
    landed = {name: client_of(name).get("/").headers["Location"] for name in ("cleo", "sol", "fin", "ida", "paul")}
    assert landed == {
        "cleo": "/boards/company/", "sol": "/boards/sales/", "fin": "/boards/finance/", "ida": "/boards/it/",
        "paul": "/boards/partners/",
    }  # fmt: skip


def test_who_has_no_role_is_told_whom_to_ask(client_of: ClientOf) -> None:
    response = client_of("otto").get("/")
    assert response.status_code == 200
    assert "No board is open to you yet" in response.content.decode()


def test_a_wrong_period_says_what_is_allowed(client_of: ClientOf) -> None:
    response = client_of("cleo").get("/boards/company/?period=fortnight")
    assert response.status_code == 400
    assert "allowed: 4w, 13w" in response.content.decode()


def test_two_departments_see_the_same_number(client_of: ClientOf) -> None:
    """Marketing and sales open the same question: the bytes are equal."""
    address = "/measures/win_rate/csv/?by=quarter&as_of=2026-06-01"
    assert client_of("mara").get(address).content == client_of("sol").get(address).content


def test_every_measure_is_on_a_page(home: object) -> None:  # noqa: ARG001
    """What is measured is looked at: each measure has its page, and most stand on a board."""
    shown = {block.question.measure for board in BOARDS for block in board.blocks}
    assert shown <= set(desk.measures())
    assert len(shown) > 14
