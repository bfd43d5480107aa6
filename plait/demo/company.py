"""The demo company: its exports, the mapping that reads them, and the truth about both."""

import json
from datetime import date
from importlib.resources import files
from pathlib import Path

import numpy as np

from plait.demo.exports import EXPORTS
from plait.demo.sheet import Book
from plait.demo.truth import truth
from plait.demo.world import simulate
from plait.facts import DEPARTMENTS

END = date(2026, 7, 1)
EXPORT_FOLDER = "exports"


def write_demo(folder: Path, *, accounts: int = 400, seed: int = 7, until: date = END) -> Path:
    """Write two years of a demo company up to `until` (exclusive), and give the path of the mapping that reads it.

    `folder/exports` holds what the tools of eight departments would export, one folder a department,
    `folder/mapping.toml` says how to read them, `folder/truth.json` what truly happened and what is wrong in the files
    on purpose. `accounts` is the number of companies that ever become known. The same arguments write the same bytes.
    """
    if accounts < 1:
        raise TooFewAccounts(accounts)
    world = simulate(seed, accounts=accounts, until=until)
    book = Book(folder / EXPORT_FOLDER)
    streams = np.random.default_rng([seed, 1]).spawn(len(EXPORTS))
    for export, stream in zip(EXPORTS, streams, strict=True):
        export(world, book, stream)
    mapping = folder / "mapping.toml"
    mapping.write_text(mapping_text() + _controls(book), encoding="utf-8", newline="\n")
    arguments = {"accounts": accounts, "seed": seed, "until": until.isoformat()}
    told = json.dumps(truth(world, book) | {"arguments": arguments}, ensure_ascii=False, sort_keys=True)
    (folder / "truth.json").write_text(told + "\n", encoding="utf-8", newline="\n")
    return mapping


def mapping_text() -> str:
    """Give the mapping of all departments' exports, one after the other."""
    folder = files("plait.demo") / "mappings"
    return "\n".join((folder / f"{name}.toml").read_text(encoding="utf-8") for name in DEPARTMENTS)


def _controls(book: Book) -> str:
    """Give the control totals that the CRM and the accounting tool print below their lists."""
    totals = (("crm", "deal.won"), ("billing", "payment.received"), ("billing", "invoice.issued"))
    return "".join(
        f'\n[[control]]\nsource = "{source}"\nkind = "{kind}"\nfacts = {book.facts[source][kind]}\n'
        for source, kind in totals
    )


class TooFewAccounts(ValueError):
    """Somebody asked for a demo company that nobody knows."""

    def __init__(self, accounts: int) -> None:
        super().__init__(f"a demo company of {accounts} accounts has nothing to tell: ask for 1 or more.")
