"""The boards: a page of blocks, each of which can also be fetched alone."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import path
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from plait.timeline import Scope
from plait.web.blocks import Block
from plait.web.board import board_for, home_of
from plait.web.reader import results, state_of, user_of
from plait.web.results import Kept
from plait.web.state import COMPARISONS, PERIODS, State

DRAWN: Kept[SafeString] = Kept(2_000)


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
    whole = "whole" in request.GET
    blocks = [(number, one, _kept(one, state, user.scope(), whole=whole)) for number, one in enumerate(found.blocks)]
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
    return HttpResponse(_drawn(found.blocks[number], state_of(request), user.scope()))


def _kept(block: Block, state: State, scope: Scope, *, whole: bool) -> SafeString | None:
    """Draw a block when all its answers are kept, or when the whole page is asked for, as for printing."""
    if whole or all(results().peek(ask) is not None for ask in block.asks(state, scope)):
        return _drawn(block, state, scope)
    return None


def _drawn(block: Block, state: State, scope: Scope) -> SafeString:
    """Draw a block, or give how it was drawn from the same answers in the same language."""
    asks = block.asks(state, scope)
    key = (id(block), get_language(), *map(results().key, asks))
    drawn = DRAWN.get(key)
    if drawn is None:
        for ask in asks:
            results().table(ask)  # answered first: what is loaded meanwhile would make it another key
        key = (id(block), get_language(), *map(results().key, asks))
        drawn = render_to_string(block.template, {"block": block, "shown": block.load(results(), state, scope)})
        DRAWN.put(key, drawn)
    return drawn


URLS = [
    path("", home, name="home"),
    path("boards/<slug:name>/", board, name="board"),
    path("boards/<slug:name>/<int:number>/", block, name="block"),
]
