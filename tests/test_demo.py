"""The demo company: the same arguments give the same files, and what they hold is what the truth says."""

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import pytest

import plait.demo
from plait.demo import TooFewAccounts, write_demo
from plait.facts import DEPARTMENTS, KINDS
from plait.sources.mapping import read_mapping
from plait.sources.staging import Staging, stage

THE_DAY_AFTER = datetime(2026, 7, 1, tzinfo=UTC)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    write_demo(folder, accounts=150, seed=7)
    return folder


@pytest.fixture(scope="module")
def truth(demo: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((demo / "truth.json").read_text(encoding="utf-8"))
    return told


@pytest.fixture(scope="module")
def staged(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Staging:
    mapping = read_mapping(demo / "mapping.toml")
    return stage(demo / "exports", mapping, work=tmp_path_factory.mktemp("work"), recorded_at=THE_DAY_AFTER)


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("first", 3), ("again", 3), ("other", 4)):
        write_demo(tmp_path / name, accounts=60, seed=seed)
    assert digests(tmp_path / "first") == digests(tmp_path / "again")
    first, other = digests(tmp_path / "first"), digests(tmp_path / "other")
    assert first.keys() == other.keys()
    assert first["exports/sales/crm/companies.csv"] != other["exports/sales/crm/companies.csv"]


@pytest.mark.parametrize("accounts", [1, 2, 7])
def test_the_smallest_companies_can_be_told(tmp_path: Path, accounts: int) -> None:
    assert read_mapping(write_demo(tmp_path, accounts=accounts, seed=1)).files


def test_a_company_without_accounts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TooFewAccounts, match="ask for 1 or more"):
        write_demo(tmp_path, accounts=0)


@pytest.mark.parametrize("department", DEPARTMENTS)
def test_every_department_exports_something_and_has_a_valid_mapping(demo: Path, department: str) -> None:
    assert any((demo / "exports" / department).rglob("*"))
    mapping = read_mapping(Path(plait.demo.__file__).parent / "mappings" / f"{department}.toml")
    assert all(pattern.startswith(f"{department}/") for file in mapping.files for pattern in file.patterns)


def test_every_file_is_read(staged: Staging, truth: dict[str, Any]) -> None:
    assert staged.not_read == []
    assert {file.file: file.rows for file in staged.files} == truth["planted"]["rows"]
    assert all(file.rows == file.accepted + file.refused_rows for file in staged.files)
    assert all(file.without_fact == 0 for file in staged.files)


def test_each_planted_bad_row_is_refused_for_its_own_reason(staged: Staging, truth: dict[str, Any]) -> None:
    rows = duckdb.read_parquet([str(file.refused) for file in staged.files]).select("file", "field", "rule").fetchall()
    refused = Counter((file, field, rule.partition(" (and ")[0]) for file, field, rule in rows)
    assert refused == Counter((bad["file"], bad["field"], bad["rule"]) for bad in truth["planted"]["refused"])
    assert 15 <= refused.total() <= 25


def test_the_facts_are_those_that_were_written(staged: Staging, truth: dict[str, Any]) -> None:
    facts = duckdb.read_parquet([str(file.facts) for file in staged.files])
    counts = facts.aggregate("source, kind, count(distinct id)").fetchall()
    found: dict[str, dict[str, int]] = {}
    for source, kind, number in counts:
        found.setdefault(source, {})[kind] = number
    written = {source: {kind: n for kind, n in kinds.items() if n} for source, kinds in truth["facts"].items()}
    assert found == written
    assert set(truth["facts_by_kind"]) <= set(KINDS)


def test_repeated_rows_are_the_only_facts_known_twice(staged: Staging, truth: dict[str, Any]) -> None:
    facts = duckdb.read_parquet([str(file.facts) for file in staged.files])
    twice = facts.aggregate("source, id, count(*) n, count(distinct kind) k, count(distinct occurred_at) t").filter(
        "n > 1"
    )
    assert twice.aggregate("max(n), max(k), max(t)").fetchone() == (2, 1, 1)
    assert sum(truth["planted"]["repeated_rows"].values()) > 0


def test_a_lead_keeps_its_number_from_marketing_to_sales_and_a_deal_its_own(staged: Staging) -> None:
    facts = duckdb.read_parquet([str(file.facts) for file in staged.files])
    for first, then in (("lead.created", "lead.mql"), ("lead.mql", "lead.sal"), ("deal.opened", "deal.won")):
        before = facts.filter(f"kind = '{first}'").select("object_id").distinct()
        after = facts.filter(f"kind = '{then}'").select("object_id").distinct()
        assert after.except_(before).fetchall() == []


def test_no_fact_lies_outside_the_two_years_but_the_early_deal(staged: Staging) -> None:
    facts = duckdb.read_parquet([str(file.facts) for file in staged.files])
    assert facts.filter("occurred_at >= timestamp '2026-07-01'").fetchall() == []
    before = facts.filter("occurred_at < timestamp '2024-07-01' - interval 1 day").select("kind").distinct()
    assert {kind for (kind,) in before.fetchall()} <= {"deal.opened", "fx.rate"}


def test_names_are_written_as_they_are_spelled(staged: Staging) -> None:
    facts = duckdb.read_parquet([str(file.facts) for file in staged.files])
    names = "".join(text for (text,) in facts.filter("kind = 'contact.created'").select("text").fetchall())
    assert set("üé") & set(names)
    assert any("가" <= letter <= "힣" for letter in names)


def test_one_deal_is_won_before_anybody_saw_its_account(staged: Staging, truth: dict[str, Any]) -> None:
    facts = duckdb.read_parquet([str(file.facts) for file in staged.files])
    seen = facts.select("kind, occurred_at, object_id, json_extract_string(keys, '$.\"account.crm\"') as account")
    won_at, account = (
        seen.filter(f"kind = 'deal.won' and object_id = '{truth['planted']['deal_before_first_touch']}'")
        .select("occurred_at, account")
        .fetchall()[0]
    )
    (created_at,) = seen.filter(f"kind = 'account.created' and account = '{account}'").fetchall()[0][1:2]
    assert won_at < created_at


def test_two_thousand_accounts_need_little_memory(tmp_path: Path) -> None:
    # Not `ru_maxrss`: it starts from what the process that forked this one had used.
    code = (
        "import sys; from pathlib import Path; from plait.demo import write_demo;"
        "write_demo(Path(sys.argv[1]), accounts=2_000);"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    kilobytes = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(kilobytes.stdout) < 400_000
