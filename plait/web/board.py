"""Boards: the pages on which a department sees its numbers. Each board is one file in `plait/web/boards`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from django.http import Http404

from plait.web.blocks import Board
from plait.web.boards import load_boards
from plait.web.people.models import User
from plait.web.people.rights import may, permit


@cache
def all_boards() -> Mapping[str, Board]:
    """Give every board by name, in the order of the rail."""
    return {board.name: board for board in sorted(load_boards(), key=lambda board: board.place)}


def boards_for(user: User) -> list[Board]:
    """Give the boards that somebody may see."""
    return [board for board in all_boards().values() if may(user, f"{board.area}.see").allowed]


def board_for(user: User, name: str) -> Board:
    """Load a board that somebody may see."""
    board = all_boards().get(name)
    if board is None:
        raise Http404
    permit(user, f"{board.area}.see")
    return board


def home_of(user: User) -> Board | None:
    """Give the board on which somebody lands: their department's, else the first they may see."""
    seen = boards_for(user)
    return next((board for board in seen if board.department == user.department != ""), seen[0] if seen else None)
