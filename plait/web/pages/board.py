"""The boards: a page of blocks, each of which can also be fetched alone."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _

from plait.web.blocks import Block
from plait.web.board import board_for, home_of
from plait.web.reader import results, state_of, user_of
from plait.web.state import COMPARISONS, PERIODS


def home(request: HttpRequest) -> HttpResponse:
    """Lead to the reader's own board; an empty home leads to what to load, a reader without any right to why."""
    user = user_of(request)
    board = home_of(user)
    if board is None:
        return render(request, "pages/nothing.html", {"title": _("Welcome")})
    if not results().timeline().version:
        return render(request, "pages/start.html", {"title": _("Welcome"), "home": settings.HOME})
    return redirect("board", board.name)


def board(request: HttpRequest, name: str) -> HttpResponse:
    """Show a board. Blocks whose answers are kept stand in the page; the others fetch themselves."""
    user = user_of(request)
    found, state = board_for(user, name), state_of(request)
    blocks = [
        {"number": number, "block": block, "shown": _kept(block, request)} for number, block in enumerate(found.blocks)
    ]
    context = {
        "board": found, "title": _(found.title), "lead": _(found.lead), "state": state, "blocks": blocks,
        "periods": PERIODS, "comparisons": COMPARISONS, "home_currency": results().timeline().settings.currency or "",
    }  # fmt: skip
    return render(request, "pages/board.html", context)


def block(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """Show one block of a board."""
    user = user_of(request)
    found = board_for(user, name)
    if number >= len(found.blocks):
        raise Http404
    one, state = found.blocks[number], state_of(request)
    context = {"block": one, "shown": one.load(results(), state, user.scope()), "state": state, "number": number}
    return render(request, one.template, context)


def _kept(block: Block, request: HttpRequest) -> dict[str, object] | None:
    """Load a block when all its answers are kept, or when the whole page is asked for, as for printing."""
    state, scope = state_of(request), user_of(request).scope()
    if "whole" in request.GET or all(results().peek(ask) is not None for ask in block.asks(state, scope)):
        return block.load(results(), state, scope)
    return None


URLS = [
    path("", home, name="home"),
    path("boards/<slug:name>/", board, name="board"),
    path("boards/<slug:name>/<int:number>/", block, name="block"),
]
