"""People, timers and a killed publisher at once: no hand-off is lost or answered twice, and every fact is told once.

`PLAIT_HANDOFF_RACES` is how many acts each process does (default 40).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from plait import desk

ACTS = int(os.environ.get("PLAIT_HANDOFF_RACES", "40"))
HANDOFFS = max(10, ACTS // 4)
PREPARE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from plait.web import boot
boot.configure(Path(sys.argv[1]), local=True)
from django.core.management import call_command
call_command("migrate", interactive=False, verbosity=0)
from plait.handoff import state
from plait.web.handoffs import acts
from plait.web.people.models import Role, User
from plait.web.people.personas import seed_roles
seed_roles()
for name, department, role in (("mara", "marketing", "head-marketing"), ("sol", "sales", "head-sales"),
                               ("mia", "sales", "member-sales")):
    user = User.objects.create_user(f"{name}@demo.example", name=name.title(), department=department)
    user.roles.set(Role.objects.filter(name=role))
mara = User.objects.get(email="mara@demo.example")
for n in range(int(sys.argv[2])):
    start = state.Start(type="lead", account=f"a{n}", key=f"k{n}", sent_by=mara.email, captured_at=datetime.now(UTC))
    acts.create(start, acts.Known(f"Firm {n}", f"firm {n}", {"domain": f"firm{n}.example"}), actor=mara)
"""
WORK = """
import json, random, sys
from pathlib import Path
from plait.web import boot
boot.configure(Path(sys.argv[1]), local=True)
from plait.failure import Misused, Unfit
from plait.web.handoffs import acts
from plait.web.handoffs.models import HandOff
from plait.web.people.models import User
chance, said = random.Random(int(sys.argv[2])), []
people = list(User.objects.filter(department="sales"))
numbers = list(HandOff.objects.order_by("id").values_list("pk", flat=True))
for _ in range(int(sys.argv[3])):
    number, user = chance.choice(numbers), chance.choice(people)
    act = chance.choice((
        lambda: acts.accept(number, user), lambda: acts.reject(number, user, reason="wrong_person"),
        lambda: acts.reject(number, user, reason="no_budget"), lambda: acts.pause(number, user, why="waits"),
        lambda: acts.resume(number, user), lambda: acts.touch(number, user), lambda: acts.withdraw(number, user),
        lambda: acts.assign(number, user, to=chance.choice(people).email),
    ))
    try:
        done = act()
    except (Unfit, Misused) as refused:
        said.append(type(refused).__name__)
    else:
        said.append("done")
        numbers += [done.successor.pk] if done.successor else []
print(json.dumps(said))
"""
PUBLISH = """
import sys, time
from pathlib import Path
from plait.web import boot
home = Path(sys.argv[1])
boot.configure(home, local=True)
from plait.web.handoffs import outbox
print("ready", flush=True)
for _ in range(int(sys.argv[2])):
    outbox.publish(home)
    time.sleep(0.01)
"""
BALANCE = """
import json, sys
from pathlib import Path
from plait.web import boot
boot.configure(Path(sys.argv[1]), local=True)
from collections import Counter
from plait.web.handoffs import outbox
for _ in range(3):  # the last has nothing to do
    published = outbox.publish(Path(sys.argv[1]))
from plait.web.handoffs.models import HandOff, Outbox, Step
from plait.web.people.models import broken_chain
ended = Counter(Step.objects.filter(act__in=["accepted", "rejected", "expired"]).values_list("handoff", flat=True))
print(json.dumps({
    "created": Step.objects.filter(act="created").count(), "rows": HandOff.objects.count(),
    "open": HandOff.objects.filter(state="open").count(), "ended": len(ended), "twice": max(ended.values(), default=0),
    "waiting": Outbox.objects.filter(published_at=None).count(), "facts": Outbox.objects.count(),
    "chain": broken_chain() is None, "last": published,
}))
"""


def run(script: str, *words: object) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PLAIT_", "DJANGO_"))}
    command = [sys.executable, "-c", script, *map(str, words)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def told(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return said


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_nothing_is_lost_when_all_act_at_once(tmp_path: Path) -> None:
    """Two people answer the same hand-offs in two processes while a third publishes and is killed in the middle."""
    home = tmp_path / "home"
    told(run(PREPARE, home, HANDOFFS))
    publisher = run(PUBLISH, home, 10_000)
    assert publisher.stdout is not None
    publisher.stdout.readline()
    racers = [run(WORK, home, seed, ACTS) for seed in (1, 2)]
    time.sleep(1.5)
    publisher.send_signal(signal.SIGKILL)
    publisher.wait(10)
    said = [word for racer in racers for word in json.loads(told(racer))]
    assert "AlreadyAnswered" in said
    assert len(said) == 2 * ACTS

    balance = json.loads(told(run(BALANCE, home)))
    assert balance["created"] == balance["rows"] == balance["open"] + balance["ended"]
    assert balance["twice"] == 1
    assert balance["chain"]
    assert (balance["waiting"], balance["last"]) == (0, 0)
    assert desk.info(home).facts == balance["facts"]
    assert desk.verify(home) == []
