"""Erasing a person from the facts and all that is made of them; what is killed in between is gone on with.

The person is put on the list first: from then on no door lets them in. Then facts and refused rows are written anew,
what is made from them is made again, and the files that old versions were kept in are deleted.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

from plait import stewardship, suppression
from plait.delta import locked, write_durably
from plait.derived import Derived, refresh
from plait.erasure import facts, rejects
from plait.erasure.plan import Plan
from plait.erasure.subject import Subject, grown
from plait.erasure.texts import replaced
from plait.failure import Said, Unfit
from plait.matching import kept as proposals
from plait.sources.contract import home as contracts
from plait.store import ERASING, Store

STAGED = {"staging": ".staging", "sealing": ".seal", "replaying": ".replay"}  # folders, and whoever fills them holds
SPILL_LASTS = timedelta(hours=1)


class NobodyToErase(Unfit, LookupError):
    """Somebody asked to erase a key by which nobody can be kept out."""


def prepare(home: Path, subject: Subject, *, number: int, now: datetime) -> Plan:
    """Write down whom to erase and keep them out from now on; nothing that is stored is changed yet."""
    if not subject.keys:
        raise NobodyToErase(Said("there is no key by which the person could be kept out; give one as name=value."))
    plan = Plan(home, number, subject, now, {})
    plan.keep()
    _keep_out(plan, now)
    return plan


def carry_out(plan: Plan, *, now: datetime, rest: float = 0) -> Plan:
    """Erase a person from the home's tables and files; gives the plan with what was done. The desk's own rows remain.

    Loads and the storing of events wait meanwhile. Old files are deleted `rest` seconds after the new ones are there,
    so that whoever reads them ends in peace. Done again it does what is left.
    """
    home = plan.home
    _keep_out(plan, now)
    _remove_left(home, now)
    store, derived = Store.open(home), Derived.open(home)
    with locked(home / "locks" / ERASING):
        plan = plan.about(grown(home, plan.subject))  # what came until they were kept out
        _keep_out(plan, now)
        plan = _write_anew(store, plan)
    time.sleep(rest)
    with locked(home / "locks" / ERASING):  # whoever writes has files in the folder that no version names yet
        for table in (store.facts, store.rejects, store.loads):
            table.clean(keep_hours=0)
    plan = plan.noted({"decisions": stewardship.forget(home, plan.subject.keys)})
    plan = plan.noted({"proposals": proposals.forget(home, plan.subject.keys)})
    _mend_records(home, plan.subject)
    refresh(store, derived)  # last: cleaning makes another version of the facts
    time.sleep(rest)
    with locked(home / "locks" / ".timeline"):
        derived.clean(keep_hours=0)
    with locked(home / "locks" / ERASING):  # the timeline has read what the log told of this
        for table in (store.facts, store.rejects, store.loads):
            table.forget_log(value.encode() for value in plan.subject.values)
    return plan


def _keep_out(plan: Plan, now: datetime) -> None:
    apart = [(suppression.FACT, suppression.fact_value(*one)) for one in plan.subject.facts]
    suppression.suppress(plan.home, [*plan.subject.keys, *apart], number=plan.number, now=now)


def _write_anew(store: Store, plan: Plan) -> Plan:
    """Write facts and refused rows anew without the person."""
    subject = plan.subject

    def before(counted: facts.Rewritten) -> None:
        nonlocal plan
        plan = plan.noted({f"facts_{name}": count for name, count in asdict(counted).items()})

    facts.rewrite(store, subject, suppression.secret_of(plan.home), before)
    sought = suppression.Suppression.of(plan.home, subject.keys)
    plan = plan.noted({"refused_rows": len(rejects.found(store, subject, sought))})
    rejects.blank(store, subject, sought)
    return plan


def _mend_records(home: Path, subject: Subject) -> None:
    """Take a person's values out of what contracts remember of loads: a file may have been named after somebody."""
    for source in contracts.sources(home):
        with contracts.source_lock(home, source):
            for path in contracts.folder_of(home, source).rglob("*.json"):
                told = path.read_text("utf-8")
                mended = replaced(told, subject.values)
                if mended != told:
                    write_durably(path, mended)


def _remove_left(home: Path, now: datetime) -> None:
    """Remove what killed loads have left; one that runs is waited for."""
    for folder, lock in STAGED.items():
        if (home / folder).is_dir():
            with locked(home / "locks" / lock):
                for path in sorted((home / folder).rglob("*"), reverse=True):
                    path.unlink() if path.is_file() else None
    old = (now - SPILL_LASTS).timestamp()
    for path in (home / "spill").glob("*"):
        if path.is_file() and path.stat().st_mtime < old:
            path.unlink(missing_ok=True)
