"""Matching measured on pairs that somebody has labelled in a file: which are one, which are not."""

from __future__ import annotations

from pathlib import Path

import duckdb

from plait import duck
from plait.failure import Misused, Said
from plait.matching import kept
from plait.matching.review import Measured, measured
from plait.matching.who import Unknown, opened, who

COLUMNS = ("left", "right", "same")
YES, NO = ("1", "1.0", "yes", "true", "same"), ("0", "0.0", "no", "false", "different")


class BadLabels(Misused, ValueError):
    """A file of labels that cannot be read."""


def measure_labels(home: Path, scope: str, file: Path) -> tuple[Measured, int]:
    """Compare the kept proposals of a scope with a file of labels; gives how many rows name somebody unknown, too.

    `left` and `right` name two people or companies by a key or an id, `same` says 1 or 0.
    """
    rows = _rows(file)
    upper = kept.read_setting(home, scope).upper
    sure = [one for one in kept.read_proposals(home, scope) if (one.probability or 0) >= upper]
    told, unknown = [], 0
    with opened(home) as db:
        chosen = {frozenset((who(db, "=".join(one.left)).id, who(db, "=".join(one.right)).id)) for one in sure}
        for left, right, same in rows:
            try:
                pair = frozenset((who(db, left).id, who(db, right).id))
            except Unknown:
                unknown += 1
                continue
            told.append((len(pair) == 1 or pair in chosen, same))
    return measured(told), unknown


def _rows(file: Path) -> list[tuple[str, str, bool]]:
    columns = ", ".join(f"trim({duck.identifier(name)})" for name in COLUMNS)
    with duckdb.connect() as db:
        try:
            source = f"read_csv({duck.literal(str(file))}, all_varchar = true)"
            rows = db.execute(f"select {columns} from {source}").fetchall()
        except duckdb.Error as error:
            says = "{file} is no file of labels; it needs the columns left, right and same (1 or 0)."
            raise BadLabels(Said(says, file=file.name)) from error
    found = []
    for number, (left, right, same) in enumerate(rows, 2):
        if not left or not right or str(same).lower() not in (*YES, *NO):
            says = "row {n} of {file}: left and right name two, same is 1 or 0; here: {left}, {right}, {same}."
            raise BadLabels(Said(says, n=number, file=file.name, left=left, right=right, same=same))
        found.append((left, right, str(same).lower() in YES))
    return found
