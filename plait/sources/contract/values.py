"""Values of a contract: how single settings are read, with every problem collected instead of the first."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from collections.abc import Sequence
from decimal import Decimal

from plait.facts import nearest
from plait.failure import Said
from plait.sources.contract.spec import CUSTOM, OWN, Keys

Given = Dict[str, object]


def part(where: str, name: str) -> Said:
    """Name a place within another."""
    return Said("{where}: {name}", where=where, name=name)


class Values:
    """Reads single settings; what is wrong goes to `problems`, what is known and not judged to `not_judged`."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.not_judged: list[tuple[str, str]] = []

    def wrong(self, where: str, says: str, /, **values: object) -> None:
        """Note a problem."""
        self.problems.append(Said("{where}: {problem}", where=where, problem=Said(says, **values)))

    def keys(self, table: Given, allowed: Keys, where: str) -> None:
        """Refuse keys that the standard has not; list those that it has and plait does not judge."""
        judged, known = allowed
        for name in table:
            if name in known:
                self.not_judged.append((str(where), name))
            elif name not in judged:
                hint, has = nearest(str(name), [*judged, *known]), ", ".join((*judged, *known))
                self.wrong(where, "no key {name!r} here; {hint}allowed: {allowed}", name=name, hint=hint, allowed=has)

    def table(self, given: object, where: str) -> Given:
        """Read a mapping."""
        if isinstance(given, dict):
            return given
        if given is not None:
            self.wrong(where, "is a mapping of names to values, not {given}", given=repr(given))
        return {}

    def tables(self, table: Given, name: str, where: str) -> list[Given]:
        """Read a list of mappings."""
        given = table.get(name)
        if given is None:
            return []
        if isinstance(given, list) and all(isinstance(item, dict) for item in given):
            return given
        self.wrong(where, "{name} is a list of mappings, each begun by a dash", name=name)
        return []

    def text(self, table: Given, name: str, where: str, *, needed: bool = False) -> str:
        """Read a text; a number stands for its digits."""
        given = table.get(name)
        if isinstance(given, str) or (isinstance(given, int | Decimal) and not isinstance(given, bool)):
            if str(given).strip() or not needed:
                return str(given).strip()
        elif given is not None:
            self.wrong(where, "{name} is a text, not {given}; put it in quotes", name=name, given=repr(given))
            return ""
        if needed:
            self.wrong(where, "needs {names}", names=name)
        return ""

    def flag(self, table: Given, name: str, where: str) -> bool | None:
        """Read true or false; None where nothing is said."""
        given = table.get(name)
        if given is not None and not isinstance(given, bool):
            self.wrong(where, "{name} is true or false, not {given}", name=name, given=repr(given))
            return None
        return given

    def number(self, table: Given, name: str, where: str) -> Decimal | None:
        """Read a number."""
        return None if table.get(name) is None else self.decimal(table[name], part(where, name))

    def decimal(self, given: object, where: str) -> Decimal | None:
        """Read a value that is a number."""
        if isinstance(given, int | Decimal) and not isinstance(given, bool):
            return Decimal(given)
        self.wrong(where, "is a number, not {given}", given=repr(given))
        return None

    def length(self, table: Given, name: str, where: str) -> int | None:
        """Read a number of letters."""
        found = self.number(table, name, where)
        if found is not None and (found < 0 or found != int(found)):
            self.wrong(where, "{name} is a whole number from 0 on, not {given}", name=name, given=found)
            return None
        return None if found is None else int(found)

    def choice(self, table: Given, name: str, allowed: Sequence[str], where: str) -> str:
        """Read one of several texts."""
        given = self.text(table, name, where)
        if given and given not in allowed:
            self.unknown(name, given, allowed, where)
            return ""
        return given

    def unknown(self, name: str, given: str, allowed: Sequence[str], where: str) -> None:
        """Note a value that is none of those allowed."""
        hint, has = nearest(given, list(allowed)), ", ".join(allowed)
        self.wrong(
            where, "no {name} {given!r}; {hint}allowed: {allowed}", name=name, given=given, hint=hint, allowed=has
        )

    def texts(self, given: object, where: str) -> tuple[str, ...]:
        """Read a list of texts and numbers; true and false are words that YAML has taken for something else."""
        if not isinstance(given, list):
            self.wrong(where, "is a list of values, not {given}", given=repr(given))
            return ()
        for value in given:
            if isinstance(value, bool):
                self.wrong(where, "YAML reads a bare yes, no, on, off as true or false: put such values in quotes")
        return tuple("" if value is None else str(value) for value in given)

    def own(self, table: Given, allowed: Sequence[str], where: str) -> Given:
        """Read the custom properties that are plait's own; those of other tools are not judged."""
        found: dict[str, object] = {}
        for n, item in enumerate(self.tables(table, "customProperties", where), 1):
            here = part(where, f"customProperties {n}")
            self.keys(item, (CUSTOM, ()), here)
            name = self.text(item, "property", here, needed=True)
            name = f"{OWN}{name}" if f"{OWN}{name}" in allowed else name
            if name in allowed:
                found[name] = item.get("value")
            elif name.startswith(OWN):
                self.unknown("property", name, allowed, here)
            elif name:
                self.not_judged.append((str(where), f"customProperties: {name}"))
        return found
