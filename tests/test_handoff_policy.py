"""A firm's policy of hand-offs: what it may say, what is refused with all reasons, and versions that never change."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from plait.handoff.policy import BadPolicy, UnknownPolicy, adopt_policy, check_policy, policies, read_policy, with_mode
from plait.handoff.terms import UnknownType
from plait.settings import Settings, write_settings

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
SMALL = """
[types.lead]
sender = "marketing"
receiver = "sales"
answer_minutes = 240
touch_minutes = 480
[calendars.office]
of = ["sales"]
zone = "Europe/Paris"
weekdays = ["09:00-12:30", "13:30-18:00"]
friday = ["09:00-15:00"]
holidays = [2026-12-25]
days = { 2026-12-24 = ["09:00-12:00"] }
"""
END = "the end"  # where a case adds to the file
WITHOUT_CALENDAR = (
    "types.lead: sales owes an answer within 240 working minutes and has no calendar, so no clock can run; "
    "add 'sales' to `of` of one under [calendars]."
)


def test_a_home_without_a_policy_has_plaits_own(tmp_path: Path) -> None:
    write_settings(tmp_path, Settings(zone="Asia/Seoul"))
    policy = read_policy(tmp_path)
    pairs = {(one.name, one.sender, one.receiver) for one in policy.types.values()}
    assert pairs == {
        ("lead", "marketing", "sales"), ("onboarding", "sales", "service"), ("expansion", "service", "sales"),
        ("defect", "service", "product"), ("referral", "partners", "sales"),
    }  # fmt: skip
    assert (policy.version, policy.since, policy.calendars["sales"].zone) == (0, None, "Asia/Seoul")
    assert [one.name for one in policy.started_by("deal.won")] == ["onboarding"]
    assert check_policy(policy.text) == ()


def test_a_calendar_has_a_half_day_a_holiday_and_a_day_of_its_own(tmp_path: Path) -> None:
    calendar = adopt_policy(tmp_path, SMALL, by="mara@x.eu", why="ours", now=NOW).calendars["sales"]
    assert [" ".join(map(str, day)) for day in calendar.week[3:6]] == ["09:00-12:30 13:30-18:00", "09:00-15:00", ""]
    assert {day: len(periods) for day, periods in calendar.days.items()} == {
        date(2026, 12, 25): 0,
        date(2026, 12, 24): 1,
    }


def test_versions_never_change_and_say_who_when_and_why(tmp_path: Path) -> None:
    """The home's zone is kept with the version: a later change of it moves no old clock."""
    write_settings(tmp_path, Settings(zone="Asia/Seoul"))
    first = adopt_policy(tmp_path, read_policy(tmp_path).text, by="mara@x.eu", why="to begin", now=NOW)
    write_settings(tmp_path, Settings(zone="UTC"))
    adopt_policy(tmp_path, SMALL, by="sol@x.eu", why="half days", now=NOW)
    assert read_policy(tmp_path, 1) == first
    assert {version: (policy.by, policy.why) for version, policy in policies(tmp_path).items()} == {
        0: ("plait", ""),
        1: ("mara@x.eu", "to begin"),
        2: ("sol@x.eu", "half days"),
    }
    assert [read_policy(tmp_path, n).calendars["sales"].zone for n in (1, 2)] == ["Asia/Seoul", "Europe/Paris"]
    with pytest.raises(UnknownPolicy, match="no version 3 of its policy of hand-offs; it has 0, 1, 2"):
        read_policy(tmp_path, 3)
    with pytest.raises(UnknownType, match="no type of hand-off 'leed'; did you mean 'lead'"):
        first.type("leed")


def test_a_pair_changes_its_mode_from_an_instant_on(tmp_path: Path) -> None:
    text = with_mode(read_policy(tmp_path), ("marketing", "sales"), "joint", NOW)
    policy = adopt_policy(tmp_path, text, by="ceo@x.eu", why="agreed", now=NOW)
    before = datetime(2026, 11, 23, 8, 59, tzinfo=UTC)
    assert [policy.mode("sales", "marketing", at) for at in (before, NOW)] == ["separate", "joint"]
    assert policy.mode("sales", "service", NOW) == "separate"


def test_a_refused_policy_leaves_the_old_one(tmp_path: Path) -> None:
    with pytest.raises(BadPolicy, match="nothing was changed"):
        adopt_policy(tmp_path, SMALL.replace("240", "0"), by="mara@x.eu", why="", now=NOW)
    assert list(policies(tmp_path)) == [0]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (('of = ["sales"]', 'of = ["service"]'), WITHOUT_CALENDAR),
        (('receiver = "sales"', 'receiver = "marketing"'), "types.lead: marketing hands over to itself"),
        (('receiver = "sales"', 'receiver = "slaes"'), "types.lead.receiver: 'slaes' is not known; did you"),
        (("[types.lead]", "[typs.lead]"), "file: 'typs' is not known here; did you mean 'types'"),
        (("[types.lead]", "[typs.lead]"), "types: there is no type of hand-off"),
        (("= 480", '= 480\nstarts = ["lead.mqll"]'), "types.lead.starts: no kind of fact 'lead.mqll'; did you mean"),
        (("= 480", "= 480\nescalate = [80, 50]"), "types.lead.escalate: the percents 80, 50 are out of order"),
        (("= 480", "= 480\nescalate = [50, 101]"), "types.lead.escalate: 101 is not allowed"),
        (("= 480", "= true"), "types.lead.touch_minutes: True is not allowed; write a whole number from 1 to 100000"),
        (("= 480", "= 480\nowes = { acceptance = 70 }"), "types.lead.owes.acceptance: 70 is no share"),
        (("= 480", "= 480\nowes = { acceptance = nan }"), "types.lead.owes.acceptance: Decimal('NaN') is no share"),
        ((END, '\n[[routes]]\nname = "x"\nat_least = inf\nto = ["x"]\n'), "routes 1: at_least is Decimal('Infinity')"),
        (("= 480", "= 480\nx = " + "[" * 9000), "file: no valid TOML"),
        (("= 480", '= 480\ntells = { accepted = "deal.won" }'), "types.lead.tells.accepted: a fact 'deal.won' needs"),
        (("= 480", '= 480\ntells = { taken = "lead.sal" }'), "types.lead.tells: 'taken' is not known here"),
        (("= 480", '= 480\nrequired = ["Why now"]'), "types.lead.required: 'Why now' is no field of the card"),
        (("09:00-15:00", "9-3"), "calendars.office.friday: '9-3' is no period of a day"),
        (("13:30", "12:00"), "calendars.office: on monday 09:00-12:30 and 12:00-18:00 overlap"),
        (("Europe/Paris", "Europe/Pairs"), "calendars.office: zone 'Europe/Pairs' is no IANA time zone"),
        (("2026-12-25", '"Christmas"'), "calendars.office.holidays: 'Christmas' is no day"),
        (("2026-12-24 =", "2026-12-25 ="), "calendars.office: 2026-12-25 is a holiday and has other hours too"),
        ((END, '\n[calendars.shop]\nof = ["sales"]\nsunday = ["09:00-24:00"]\n'),
         "calendars.shop: sales has two calendars, office and shop; keep one."),
        ((END, '\n[reasons.later]\ntarget = "nurture"\n'), "reasons.later: it sends accounts back to nurture and"),
        ((END, '\n[reasons.no]\ntarget = "withdrawn"\n'), "reasons.no: only the reason 'withdrawn' has"),
        ((END, '\n[reasons.no]\ntarget = "merge"\ndelay_days = 9\n'), "reasons.no: only accounts sent back"),
        ((END, '\n[[modes]]\nbetween = ["sales"]\nmode = "joint"\nsince = 2026-01-01\n'), "modes 1: between "),
        ((END, '\n[[modes]]\nbetween = ["sales", "it"]\nmode = "both"\nsince = 1\n'), "modes 1.since: '1' is no "),
        ((END, '\n[[routes]]\nname = "x"\ntypes = ["leads"]\nto = []\n'), "routes 1.types: 'leads' is not"),
        ((END, '\n[[routes]]\nname = "x"\nto = []\n'), "routes 1: it leads to nobody"),
        (("[types.lead]", "[types.lead"), "file: no valid TOML"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_with_the_reason(change: tuple[str, str], problem: str) -> None:
    old, new = change
    text = SMALL + new if old == END else SMALL.replace(old, new)
    assert re.search(re.escape(problem), "\n".join(map(str, check_policy(text)))), check_policy(text)


def test_all_problems_of_a_file_are_said_at_once() -> None:
    wrong = SMALL.replace("240", "0").replace('"sales"', '"slaes"').replace("Paris", "Pairs")
    assert [problem.where for problem in check_policy(wrong)] == [
        "types.lead.receiver", "types.lead.answer_minutes", "calendars.office", "calendars.office.of",
    ]  # fmt: skip
