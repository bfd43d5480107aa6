"""How long it takes to find the same people among a million contacts, and how much memory, in a process of its own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import duckdb

CONTACTS, SEED = 1_000_000, 7
# Names are put together from syllables: some are borne by thousands, most by few, and many differ by a letter.
CONTACTS_SQL = """
create or replace macro chance(n, salt) as (hash(n || salt || {seed}) % 1000003) / 1000003.0;
create or replace macro seldom(n, salt, most) as (floor(most * pow(chance(n, salt), 2.5)))::bigint;
create or replace macro spelt(n) as
    ['ba', 'ber', 'da', 'fel', 'gar', 'ho', 'jan', 'kra', 'lin', 'mo', 'nor', 'pe', 'ras', 'schu', 'ta', 'wen']
        [1 + (hash(n || '/1') % 16)::int]
    || ['bel', 'cke', 'do', 'fri', 'ga', 'len', 'man', 'ne', 'ri', 'ro', 'se', 'ti', 'vo', 'wa', 'zi', 'kel']
        [1 + (hash(n || '/2') % 16)::int]
    || ['', 'n', 'r', 'son', 'mann', 'er', 'ski', 'ti', 'berg', 'dt'][1 + (hash(n || '/3') % 10)::int]
    || ['', '', 'a', 'o', 'e', 'i'][1 + (hash(n || '/4') % 6)::int];
create or replace macro place(t, n, salt) as (2 + hash(n, salt, 1) % (length(t) - 2))::int;
create or replace macro mistyped(t, n, salt) as
    case when t is null or length(t) < 4 then t else (case (hash(n, salt) % 3)::int
        when 0 then left(t, place(t, n, salt) - 1) || substr(t, place(t, n, salt) + 1)
        when 1 then left(t, 2) || substr(t, 4, 1) || substr(t, 3, 1) || substr(t, 5)
        else left(t, 3) || substr(t, 3, 1) || substr(t, 4) end) end;
create table people as
select *, row_number() over (partition by given, family, firm order by person) as namesake from (
    select i as person, spelt(1000000 + seldom(i, 'g', 3000)) as given, spelt(seldom(i, 'f', 60000)) as family,
        seldom(i, 'c', {people} // 12) as firm, (hash(i, 'p') % 90000000 + 10000000)::varchar as phone
    from range({people}) as t(i)
);
create table told as
select row_number() over (order by hash(person, copy, 'o')) - 1 as id, person, given, family, firm, phone,
    if(namesake > 1, namesake::varchar, '') as nth,
    case when chance(person * 7 + copy, 'e') < 0.1 then (hash(person, copy, 'k') % 6)::int end as wrong
from people, range(2) as r(copy) where copy = 0 or chance(person, 'n') < {again};
copy (
    select id, person,
        case wrong when 0 then mistyped(given, id, 'g') when 1 then left(given, 1) when 2 then family else given end
            as first_name,
        case when wrong in (0, 3) then mistyped(family, id, 'f') when wrong = 2 then given else family end as last_name,
        case when wrong = 4 then null when wrong = 5 then mistyped(given, id, 'm') else given end
            || '.' || family || nth || '@firm' || firm || '.example' as email,
        case when hash(id, 'h') % 3 = 0 then null when wrong = 3 then mistyped(phone, id, 'h') else phone end as phone,
        'Firm ' || spelt(2000000 + firm) || ' ' || firm || if(hash(id, 'l') % 4 = 0, ' GmbH', '') as company,
        (10000 + hash(firm, 'z') % 20000)::varchar as postcode
    from told order by id limit {contacts}
) to '{path}' (format parquet)
"""


def make_contacts(path: Path, contacts: int = CONTACTS) -> None:
    people = contacts * 4 // 5
    with duckdb.connect() as db:
        db.execute("set threads = 2")
        db.execute(CONTACTS_SQL.format(seed=SEED, people=people, again=0.27, contacts=contacts, path=path))


def cluster(path: Path) -> dict[str, float]:
    """Cluster a list and say how long each step took; run in a process of its own."""
    from plait.matching.files import find_same

    began = time.perf_counter()
    found = find_same(path, truth="person", scope="person")
    took = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    quality = found.quality or found.estimate
    return {
        **found.seconds,
        "all": took,
        "cpu": used.ru_utime + used.ru_stime,
        "people": len(set(found.clusters.tolist())),
        "precision": quality.precision or 0,
        "recall": quality.recall or 0,
        "peak": used.ru_maxrss / 1024,
    }


def measure(work: Path) -> str:
    lines = []
    for contacts in (100_000, CONTACTS):
        path = work / f"contacts{contacts}.parquet"
        if not path.exists():
            make_contacts(path, contacts)
        command = [sys.executable, __file__, str(path)]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
        steps = " | ".join(f"{told[name]:.1f}" for name in ("read", "train", "compare", "cluster", "all", "cpu"))
        right = f"{told['people']:,} | {told['precision']:.3f} | {told['recall']:.3f}"
        lines.append(f"| {contacts:,} | {steps} | {told['peak']:,.0f} MB | {right} |")
    return (
        "Contacts of firms with shared family names and colleagues, a fifth entered twice, errors in one of ten "
        "(letters, swapped names, initials, missing addresses): who is the same, found by the engine of `plait "
        "identity dedupe`. Seconds, CPU seconds of all threads and peak memory of a process of its own:\n\n"
        "| contacts | read | train | compare | cluster | all | CPU | peak memory | people | precision | recall |\n"
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n" + "\n".join(lines) + "\n"
    )


if __name__ == "__main__":
    print(json.dumps(cluster(Path(sys.argv[1]))))
