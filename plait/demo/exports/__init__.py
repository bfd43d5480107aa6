"""Exports: how each department's tools write down what happened to them, one module a department."""

from collections.abc import Callable

from plait.demo.exports import finance, hr, it, marketing, partners, product, sales, service, web
from plait.demo.market import Rng
from plait.demo.sheet import Book
from plait.demo.world import World

Export = Callable[[World, Book, Rng], None]

EXPORTS: tuple[Export, ...] = (
    marketing.export,
    web.export,
    sales.export,
    service.export,
    product.export,
    finance.export,
    it.export,
    hr.export,
    partners.export,
)
