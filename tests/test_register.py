"""The register: what two departments signed is what is used where nobody names an option, and nothing else is marked
as signed.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from stories import told

from plait import desk
from plait.cli import main
from plait.measure import Measure, Signature, known_measure, registry
from plait.register import FILE, BadRegister, NoSuchDefinition, Register, Version, agreed_by, keep, read_register

NOW = datetime(2026, 7, 2, 12, tzinfo=UTC)
FIRST, SECOND = datetime(2026, 3, 1, 9), datetime(2026, 5, 1, 9)  # noqa: DTZ001 - instants of the register are naive UTC
OUTCOMES = {"revenue", "source_health"}  # what everything else helps to explain: money, and whether data is fit
FACTS = """
acme  2026-01-05  deal.opened  object_id=a
acme  2026-02-01  deal.won     900.00 EUR object_id=a
bolt  2026-01-09  deal.opened  object_id=b
bolt  2026-02-09  deal.lost    object_id=b
cask  2026-01-11  deal.opened  object_id=c
dyne  2026-01-12  deal.opened  object_id=d
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a home with four deals: one won, one lost, two open."""
    home = tmp_path_factory.mktemp("deals")
    desk.add(home, told(FACTS), name="story", now=NOW)
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    """Give a copy of it, to change."""
    return Path(shutil.copytree(made, tmp_path / "home"))


def version(number: int, at: datetime | None, measure: str = "win_rate", **options: object) -> Version:
    """Give a definition, signed by both departments at an instant, or by nobody yet."""
    known = known_measure(measure)
    one, other = known.signers
    signatures = (Signature(one, "Sol", at), Signature(other, "Fin", at)) if at else ()
    return Version(
        measure, number, known.means, known.version, known.digest, agreed_by(known, options), "because", "Sol", FIRST,
        signatures,
    )  # fmt: skip


def rate(home: Path, as_of: date | None = None, definition: int | None = None, **options: object) -> tuple[object, ...]:
    """Give the win rate, and by which definition it is."""
    table = desk.show(home, "win_rate", options, now=NOW, as_of=as_of, definition=definition)
    return table.records()[0]["win_rate"], table.definition.number, table.definition.state


def test_without_signatures_plaits_own_definition_is_used_and_marked(home: Path) -> None:
    assert rate(home) == (0.5, 0, "unsigned")
    assert json.loads(show(home, "--json"))["definition"] == {
        "version": 0, "state": "unsigned", "signed_by": [], "departs": []
    }  # fmt: skip
    assert "version 1, unsigned, facts" in show(home)


def show(home: Path, *more: str) -> str:
    result = CliRunner().invoke(main, ["--home", str(home), "show", "win_rate", *more])
    assert result.exit_code == 0, result.output
    return result.output


def test_what_was_signed_is_used_on_every_surface_where_nobody_names_it(home: Path) -> None:
    keep(home, [version(1, FIRST, denominator="created")])
    assert rate(home) == (0.25, 1, "signed")
    (table,) = desk.board(home, {"win_rate": {}}, now=NOW)
    assert (table.records()[0]["win_rate"], table.definition.state) == (0.25, "signed")
    assert "'denominator'" not in desk.query(home, "win_rate", now=NOW)
    assert desk.query(home, "win_rate", now=NOW) == desk.query(home, "win_rate", {"denominator": "created"}, now=NOW)
    told = json.loads(show(home, "--json"))
    assert told["rows"][0]["win_rate"] == 0.25
    assert told["definition"]["signed_by"] == [
        {"department": name, "on": "2026-03-01"} for name in ("sales", "finance")
    ]
    assert "definition 1 signed by sales and finance" in show(home)


def test_who_names_an_option_gets_it_and_is_told_that_it_is_not_as_signed(home: Path) -> None:
    keep(home, [version(1, FIRST, denominator="created")])
    table = desk.show(home, "win_rate", {"denominator": "closed"}, now=NOW)
    assert table.records()[0]["win_rate"] == 0.5
    assert (table.definition.holds, table.definition.departs) == (False, ("denominator",))
    assert "definition 1, not as signed: denominator" in show(home, "--denominator", "closed")
    assert desk.show(home, "win_rate", {"by": "month"}, now=NOW).definition.holds  # a split is no other definition


def test_an_earlier_day_and_a_number_give_the_definition_of_then(home: Path) -> None:
    keep(home, [version(1, FIRST, denominator="created"), version(2, SECOND, denominator="closed")])
    assert rate(home) == (0.5, 2, "signed")
    assert rate(home, date(2026, 4, 1)) == (0.25, 1, "signed")
    assert rate(home, date(2026, 3, 1)) == (0.5, 0, "unsigned")
    assert rate(home, definition=1) == (0.25, 1, "signed")
    assert rate(home, definition=0) == (0.5, 0, "unsigned")
    with pytest.raises(NoSuchDefinition, match=r"win_rate has no signed definition 3; it has: 0, 1, 2 \(0 is the one"):
        rate(home, definition=3)


def test_what_waits_for_signatures_or_was_withdrawn_changes_no_number(home: Path) -> None:
    one, half, gone = version(1, FIRST, denominator="created"), version(2, None), version(3, None)
    signature = Signature("sales", "Sol", SECOND)
    keep(home, [one, replace(half, signatures=(signature,)), replace(gone, withdrawn_at=SECOND)])
    assert rate(home) == (0.25, 1, "signed")
    kept = read_register(home)
    assert [kept.state_of(v) for v in kept.of("win_rate")] == ["signed", "half-signed", "withdrawn"]


def test_one_signature_under_what_is_used_is_said(home: Path) -> None:
    keep(home, [replace(version(1, None), signatures=(Signature("sales", "Sol", FIRST),))])
    assert rate(home) == (0.5, 0, "half-signed")
    assert "half-signed by sales" in show(home)


def test_a_changed_definition_of_plaits_falls_back_to_unsigned_and_keeps_the_agreed_options(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(home, [version(1, FIRST, denominator="created")])
    changed: Measure = replace(known_measure("win_rate"), version=99)
    monkeypatch.setitem(registry, "win_rate", changed)
    assert rate(home) == (0.25, 1, "changed")
    assert "unsigned: changed since sales and finance signed definition 1" in show(home)
    monkeypatch.setitem(registry, "win_rate", replace(changed, options={}, build=known_measure("win_rate").build))
    assert read_register(home).in_force(registry["win_rate"]).options == ()  # an option that is gone is asked no more


def test_the_file_keeps_what_was_signed_whatever_is_written_later(home: Path) -> None:
    signed = version(1, FIRST, denominator="created")
    assert keep(home, [signed])
    assert not keep(home, [signed]), "written twice it is the same"
    assert not keep(home, [replace(signed, options={"denominator": "closed"}), version(1, None)])
    assert not keep(home, []), "what nobody names stays"
    assert rate(home)[0] == 0.25
    assert keep(home, [version(2, SECOND)])
    assert [one.number for one in read_register(home).of("win_rate")] == [1, 2]


def test_a_change_of_the_register_is_seen_by_whoever_keeps_answers(home: Path) -> None:
    before = desk.stamp(home)
    keep(home, [version(1, FIRST)])
    assert desk.stamp(home) != before


def test_a_torn_register_is_refused_with_the_way_out(home: Path) -> None:
    (home / FILE).write_text("{")
    with pytest.raises(BadRegister, match="restore it from a backup, or let the desk write it anew"):
        rate(home)
    (home / FILE).write_text('{"format": 2, "definitions": []}')
    with pytest.raises(BadRegister, match="of a newer plait"):
        rate(home)


def test_the_list_and_the_history_are_printed(home: Path) -> None:
    keep(home, [version(1, FIRST, denominator="created")])
    run = CliRunner()
    listed = json.loads(run.invoke(main, ["--home", str(home), "register", "--json"]).output)
    row = next(one for one in listed if one["measure"] == "win_rate")
    assert row == {
        "measure": "win_rate", "class": "money", "parent": "bookings", "signers": ["sales", "finance"],
        "definition": 1, "state": "signed", "proposed": None,
    }  # fmt: skip
    unsigned = run.invoke(main, ["--home", str(home), "register", "--unsigned"]).output
    assert "\nwin_rate " not in unsigned
    assert "\nbookings " in unsigned
    history = run.invoke(main, ["--home", str(home), "register", "show", "win_rate"]).output
    assert "sales: Sol, 2026-03-01 09:00 UTC" in history
    wrong = run.invoke(main, ["--home", str(home), "register", "show", "winrate"])
    assert (wrong.exit_code, "did you mean 'win_rate'" in wrong.output) == (2, True)


@pytest.mark.parametrize("name", sorted(registry))
def test_every_measure_has_two_signers_and_helps_to_explain_an_outcome(name: str) -> None:
    measure, seen = registry[name], [name]
    assert len(set(measure.signers)) == 2
    while measure.parent:
        assert measure.parent in registry, f"{measure.name} helps to explain {measure.parent}, which is no measure"
        assert measure.parent not in seen, f"a circle: {seen}"
        seen.append(measure.parent)
        measure = registry[measure.parent]
    assert measure.name in OUTCOMES, f"{measure.name} is no outcome: name the measure that it helps to explain"


def test_money_is_signed_by_finance_and_counts_by_sales() -> None:
    told = {name: (registry[name].sort, registry[name].signers) for name in ("revenue", "win_rate", "funnel", "spend")}
    assert told == {
        "revenue": ("money", ("marketing", "finance")),
        "win_rate": ("money", ("sales", "finance")),
        "funnel": ("count", ("marketing", "sales")),
        "spend": ("money", ("marketing", "finance")),
    }
    assert registry["satisfaction"].sort == "proxy"


def test_a_register_without_a_file_is_empty(tmp_path: Path) -> None:
    assert read_register(tmp_path) == Register()
