"""Reading a data contract: a file of the Open Data Contract Standard, checked against what the standard has.

Every problem is found before any of them is told. What the standard has and plait does not judge is listed, never
passed over: `Contract.not_judged`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from plait.facts import CURRENCIES, DEPARTMENTS, KINDS, SOURCE_NAME, nearest
from plait.failure import Said
from plait.sources.contract.columns import ColumnReader
from plait.sources.contract.document import BadDocument, read_document
from plait.sources.contract.form import STATUSES, BadContract, Column, Contract, Limit, Owner, Promise, Rule, Shape
from plait.sources.contract.spec import (
    DEPARTMENT_ROLES,
    FILL_IN,
    IT_ROLES,
    MEMBER,
    OBJECT,
    OBJECT_METRICS,
    OWN_MEMBER,
    OWN_OBJECT,
    OWN_TOP,
    SLA,
    SLA_JUDGED,
    TEAM,
    TOP,
    TOTAL,
    UNITS,
    VERSIONS,
)
from plait.sources.contract.values import Given, part
from plait.sources.form import Control

_TOP = Said("top level")


def read_contract(text: str, name: str = "contract") -> Contract:
    """Read and check a contract; every problem found stands in the `BadContract` that is raised."""
    try:
        document = read_document(text)
    except BadDocument as bad:
        raise BadContract(name, [bad.args[0]]) from bad
    if not isinstance(document, dict):
        raise BadContract(name, [Said("is no contract: a contract is a mapping that begins with apiVersion and kind")])
    reader = _Reader()
    contract = reader.contract(document, text)
    if reader.problems:
        raise BadContract(name, reader.problems)
    return contract


class _Reader(ColumnReader):
    """Walks the document and collects problems instead of stopping at the first."""

    def contract(self, table: Given, text: str) -> Contract:
        self.keys(table, TOP, _TOP)
        for name, allowed in (("apiVersion", VERSIONS), ("kind", ("DataContract",)), ("status", STATUSES)):
            if self.text(table, name, _TOP, needed=True):
                self.choice(table, name, allowed, _TOP)
        self.text(table, "id", _TOP, needed=True)
        own = self.own(table, OWN_TOP, _TOP)
        source = self.source(table, own)
        shapes = tuple(
            self.shape(item, Said("schema {n}", n=n)) for n, item in enumerate(self.tables(table, "schema", _TOP), 1)
        )
        if not shapes:
            self.wrong(_TOP, "needs a schema: a list of the kinds of files with their columns")
        for name in sorted({one.name for one in shapes if [two.name for two in shapes].count(one.name) > 1}):
            self.wrong(_TOP, "schema {name!r} stands twice: give each a name of its own", name=name)
        it, department = self.owners(table)
        latency, frequency = self.promises(table, shapes)
        about = self.table(table.get("description"), part(_TOP, "description"))
        refuses = own.get("plait.onViolation", "quarantine")
        if refuses not in ("quarantine", "refuse"):
            self.unknown("plait.onViolation", str(refuses), ("quarantine", "refuse"), _TOP)
        return Contract(
            text=text, source=source, name=self.text(table, "name", _TOP) or source,
            version=self.text(table, "version", _TOP, needed=True), status=str(table.get("status", "")),
            about=self.text(about, "purpose", part(_TOP, "description")), it=it, department=department, shapes=shapes,
            latency=latency, frequency=frequency, totals=self.totals(own.get("plait.controlTotals"), source),
            refuses=refuses == "refuse", not_judged=tuple(self.not_judged),
        )  # fmt: skip

    def source(self, table: Given, own: Given) -> str:
        """Read which source the contract is about: `plait.source`, or the name of the contract."""
        source = str(own.get("plait.source") or self.text(table, "name", _TOP))
        if not SOURCE_NAME.fullmatch(source):
            self.wrong(
                _TOP,
                "{name!r} is no source; name it as the mapping does, in `name` or in the custom property plait.source: "
                "lower case letters, digits and underscores, a letter first",
                name=source,
            )
        return source

    # -- files

    def shape(self, table: Given, where: str) -> Shape:
        self.keys(table, OBJECT, where)
        name = self.text(table, "name", where, needed=True)
        own = self.own(table, OWN_OBJECT, where)
        within = own.get("plait.uniqueWithin", "source")
        if within not in ("source", "file"):
            self.unknown("plait.uniqueWithin", str(within), ("source", "file"), where)
        read: list[tuple[Column, list[Rule]]] = []
        needed, keys = [], []
        for n, item in enumerate(self.tables(table, "properties", where), 1):
            here = Said("{where}, column {name}", where=where, name=repr(item.get("name", n)))
            self.text(item, "name", here, needed=True)
            read.append(self.column(item, here))
            if item.get("required") or item.get("primaryKey") or item.get("unique"):
                needed.append(read[-1][0].name)
            if self.flag(item, "primaryKey", here):
                keys.append((self.number(item, "primaryKeyPosition", here) or 0, n, read[-1][0]))
        columns = tuple(column for column, _rules in read)
        self.apart(columns, where)
        rules = [rule for _column, of_column in read for rule in of_column]
        if keys:
            rules.append(Rule(tuple(column for _place, _n, column in sorted(keys, key=lambda key: key[:2])), "unique"))
        more, volume = self.of_object(table, columns, where)
        pattern = self.text(table, "physicalName", where) or f"{name}.*"
        return Shape(name, pattern, columns, tuple(needed), tuple(dict.fromkeys([*rules, *more])), volume,
                     within == "file")  # fmt: skip

    def apart(self, columns: tuple[Column, ...], where: str) -> None:
        """Refuse a column that is spoken of twice, and a schema without any."""
        names = [column.name for column in columns]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.wrong(where, "column {name!r} stands twice: say all of it in one place", name=name)
        if not names:
            self.wrong(where, "needs properties: the columns of its files")

    def of_object(self, table: Given, columns: tuple[Column, ...], where: str) -> tuple[list[Rule], tuple[Limit, ...]]:
        """Read the quality rules of a whole file: how many rows, and what is there once together."""
        rules: list[Rule] = []
        volume: list[Limit] = []
        for n, item in enumerate(self.tables(table, "quality", where), 1):
            here = part(where, f"quality {n}")
            found = self.quality(item, OBJECT_METRICS, here)
            if found is None:
                continue
            metric, arguments, limits, _here = found
            if metric == "rowCount":
                volume += limits
                if any(limit.percent for limit in limits):
                    self.wrong(here, "rowCount counts rows: its unit is rows")
                continue
            names = self.texts(arguments.get("properties", []), part(here, "properties"))
            known = {column.name: column for column in columns}
            for name in names:
                if name not in known:
                    self.unknown("column", name, tuple(known), here)
            if not names:
                self.wrong(here, "duplicateValues needs properties in its arguments: the columns of the key")
            chosen = tuple(known[name] for name in names if name in known)
            rules += [Rule(chosen, "unique", (), None if limit.none else limit) for limit in limits if chosen]
        return rules, tuple(volume)

    # -- people

    def owners(self, table: Given) -> tuple[Owner, Owner]:
        """Read who stands for the source: somebody in IT and somebody in the department."""
        team = table.get("team")
        where = Said("team")
        if isinstance(team, dict):
            self.keys(team, TEAM, where)
            members = self.tables(team, "members", where)
        else:
            members = self.tables(table, "team", _TOP)
        by_role: dict[str, Owner] = {}
        for n, item in enumerate(members, 1):
            here = Said("team member {n}", n=n)
            owner = self.member(item, here)
            role = self.text(item, "role", here).lower()
            side = "it" if role in IT_ROLES else "department" if role in DEPARTMENT_ROLES else ""
            if side and not item.get("dateOut"):
                by_role[side] = owner
            if side == "department" and not item.get("dateOut") and not owner.department:
                self.wrong(
                    here, "needs the custom property plait.department: {allowed}", allowed=", ".join(DEPARTMENTS)
                )
        for side, roles, who in (("it", IT_ROLES, "IT"), ("department", DEPARTMENT_ROLES, "the department")):
            if side not in by_role:
                self.wrong(
                    where, "needs an owner in {who}: a member with the role {role!r} and without dateOut",
                    who=Said(who), role=roles[0],
                )  # fmt: skip
        nobody = Owner("", "")
        return by_role.get("it", nobody), by_role.get("department", nobody)

    def member(self, item: Given, where: str) -> Owner:
        self.keys(item, MEMBER, where)
        own = self.own(item, OWN_MEMBER, where)
        username = self.text(item, "username", where, needed=True)
        department = str(own.get("plait.department") or "")
        if username == FILL_IN:
            self.wrong(where, "username is still to be filled in: write who it is")
        if department and department not in DEPARTMENTS:
            self.unknown("department", department, DEPARTMENTS, where)
        return Owner(self.text(item, "name", where) or username, username, department)

    # -- promises

    def promises(self, table: Given, shapes: tuple[Shape, ...]) -> tuple[tuple[Promise, ...], Promise | None]:
        """Read what is promised of freshness; other service levels are known and not judged."""
        latency: list[Promise] = []
        frequency = None
        for n, item in enumerate(self.tables(table, "slaProperties", _TOP), 1):
            where = Said("slaProperties {n}", n=n)
            self.keys(item, SLA, where)
            name = self.text(item, "property", where, needed=True)
            kind = SLA_JUDGED.get(name.lower())
            if kind is None:
                self.not_judged += [(str(where), f"property {name}")] if name else []
                continue
            value, unit = self.number(item, "value", where), self.text(item, "unit", where) or "d"
            if unit.lower() not in UNITS:
                self.unknown("unit", unit, tuple(UNITS), where)
            elif value is None or not 0 < value < 10_000:  # noqa: PLR2004 - 10,000 years
                self.wrong(where, "needs a value above 0 with its unit, such as 1 and d")
            else:
                age = timedelta(seconds=float(value * UNITS[unit.lower()]))
                columns = self.elements(item, shapes, where) if kind == "latency" else [None]
                promised = [Promise(age, f"{value:f} {unit}", column) for column in columns]
                latency += promised if kind == "latency" else []
                frequency = promised[0] if kind == "frequency" else frequency
        return tuple(latency), frequency

    def elements(self, item: Given, shapes: tuple[Shape, ...], where: str) -> list[tuple[str, str] | None]:
        """Read which columns tell the age of a row; without any it is when the facts happened."""
        found: list[tuple[str, str] | None] = []
        for element in filter(None, map(str.strip, self.text(item, "element", where).split(","))):
            shape_name, _dot, column_name = element.rpartition(".") if len(shapes) > 1 else ("", "", element)
            for shape in shapes:
                name = column_name.removeprefix(f"{shape.name}.")
                column = shape.column(name)
                if shape_name in ("", shape.name) and column is not None and column.type in ("date", "timestamp"):
                    found.append((shape.name, column.name))
                    break
            else:
                self.wrong(where, "element {name!r} is no column of type date or timestamp here", name=element)
        return found or [None]

    def totals(self, given: object, source: str) -> tuple[Control, ...]:
        """Read the control totals: what the exporting system says that sums must be."""
        if given is None:
            return ()
        listed = {"plait.controlTotals": given}
        return tuple(
            self.total(item, source, Said("control total {n}", n=n))
            for n, item in enumerate(self.tables(listed, "plait.controlTotals", _TOP), 1)
        )

    def total(self, item: Given, source: str, where: str) -> Control:
        self.keys(item, (TOTAL, ()), where)
        kind = self.text(item, "kind", where, needed=True)
        if kind and kind not in KINDS:
            hint = nearest(kind, KINDS)
            self.wrong(where, "no kind {kind!r}; {hint}the vocabulary has {n}", kind=kind, hint=hint, n=len(KINDS))
        facts, amount = self.length(item, "facts", where), self.number(item, "amount", where)
        currency = self.text(item, "currency", where) or None
        if facts is None and amount is None:
            self.wrong(where, "says nothing: give facts, amount or both")
        if amount is not None and currency not in CURRENCIES:
            self.wrong(where, "an amount needs its currency")
        return Control(source, kind, self.before(item, where), facts, amount, currency)

    def before(self, item: Given, where: str) -> datetime | None:
        given = self.text(item, "before", where)
        try:
            return datetime.combine(date.fromisoformat(given), time(), UTC) if given else None
        except ValueError:
            self.wrong(where, "before is a day such as 2026-11-01, not {given}", given=repr(given))
            return None
