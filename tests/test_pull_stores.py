"""Databases and storages as sources, on real servers that the tests start: every digit arrives, nothing is changed."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from plait.sources.pull import database, storage
from plait.sources.pull.asking import NoAnswer
from plait.sources.pull.database import BadReads, Database, reads_of
from plait.sources.pull.storage import Storage

NOW = datetime(2026, 4, 1, tzinfo=UTC)
READS = reads_of(
    """
    [[read]]
    name = "orders"
    table = "orders"
    cursor = "changed_at"
    [[read]]
    name = "sums"
    select = "select customer, sum(total) as total from orders group by customer"
    """
)
KEYS: dict[str, Any] = {"key": "k", "secret": "s", "region": "us-east-1"}
TOTAL = "12345678901234.123456789012"


def column(folder: Path, file: str, name: str) -> list[Any]:
    with pyarrow.parquet.ParquetFile(folder / f"{file}.parquet") as held:
        found: list[Any] = held.read([name]).column(0).to_pylist()
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def as_somebody(folder: Path) -> dict[str, Any]:
    """Servers refuse to run as root: they run as nobody then, in a folder of theirs."""
    if os.getuid() != 0:
        return {}
    shutil.chown(folder, "nobody")
    return {"user": "nobody", "extra_groups": []}


@pytest.fixture
def postgres() -> Iterator[tuple[Database, Callable[[str], None]]]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [Path(shutil.which("initdb") or "/missing")]
    if not found[-1].exists():
        pytest.skip("NO POSTGRESQL: install Debian's postgresql to test reading from it")
    pytest.importorskip("connectorx")
    bins, folder, port = found[-1].resolve().parent, Path(tempfile.mkdtemp(prefix="plait-pg-")), free_port()
    who = as_somebody(folder)
    quiet: dict[str, Any] = {"cwd": "/", "stdout": subprocess.DEVNULL, **who}  # a pipe would stay open
    try:
        made: list[Any] = [bins / "initdb", "-D", folder, "-A", "trust", "-U", "plait", "--no-sync"]
        subprocess.run(made, check=True, **quiet)
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c timezone=Asia/Seoul"
        started: list[Any] = [bins / "pg_ctl", "-D", folder, "-o", options, "-l", folder / "log", "-w", "-s", "start"]
        subprocess.run(started, check=True, **quiet)

        def do(sql: str) -> None:
            command: list[Any] = [
                bins / "psql",
                "-h",
                "127.0.0.1",
                "-p",
                str(port),
                "-U",
                "plait",
                "-q",
                "-c",
                sql,
                "postgres",
            ]
            subprocess.run(command, check=True, cwd="/", capture_output=True)

        yield Database("postgresql", "postgres", READS, "127.0.0.1", port, "plait", "any", "disable"), do
    finally:
        subprocess.run([bins / "pg_ctl", "-D", folder, "-m", "immediate", "-s", "stop"], cwd="/", check=False, **who)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def mariadb() -> Iterator[tuple[Database, Callable[[str], None]]]:
    server, install = (
        shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin"),
        shutil.which("mariadb-install-db"),
    )
    client = shutil.which("mariadb")
    if not (server and install and client):
        pytest.skip("NO MARIADB: install Debian's mariadb-server to test reading from it")
    pytest.importorskip("connectorx")
    folder, port = Path(tempfile.mkdtemp(prefix="plait-my-")), free_port()
    who = as_somebody(folder)
    here = ["--no-defaults", f"--datadir={folder}/data"]
    quiet: dict[str, Any] = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **who}
    normal = "--auth-root-authentication-method=normal"
    small = ["--innodb-buffer-pool-size=16M", "--innodb-log-file-size=4M", "--innodb-flush-method=nosync"]
    running = None
    try:
        subprocess.run([install, *here, *small, normal, "--skip-test-db", "--skip-name-resolve"], check=True, **quiet)
        net = [f"--socket={folder}/s", f"--port={port}", "--bind-address=127.0.0.1", "--default-time-zone=+09:00"]
        running = subprocess.Popen([server, *here, *small, *net, f"--pid-file={folder}/pid"], **quiet)
        for _ in range(400):
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            time.sleep(0.05)

        def do(sql: str) -> None:
            command = [client, "--no-defaults", f"--socket={folder}/s", "-u", "root", "-e", sql]
            subprocess.run(command, check=True, capture_output=True)

        do("create database shop; create user plait@'127.0.0.1' identified by 'p@ss:w/rd'")
        do("grant select on shop.* to plait@'127.0.0.1'")
        yield Database("mysql", "shop", READS, "127.0.0.1", port, "plait", "p@ss:w/rd"), do
    finally:
        if running is not None:
            running.kill()
            running.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_a_database_is_read_to_the_last_digit_and_then_only_what_is_new(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Decimals, accents, instants in the zone of the server, bytes and JSON come as the database writes them."""
    held, do = request.getfixturevalue(kind)
    if kind == "postgres":
        do(f"""
            create type mood as enum ('good', 'bad');
            create table orders (id bigint primary key, customer text, total numeric, changed_at timestamptz, mood mood,
                more jsonb, price money, tags text[], raw bytea, due date, paid boolean);
            insert into orders values
                (9007199254740993, 'Café', {TOTAL}, '2026-03-01 08:00+00', 'good', '{{"a": 1.10}}', '5.00',
                 '{{x,y}}', '\\x00ff', '2026-03-09', true),
                (2, null, null, '2026-03-02 08:00+00', null, null, null, null, null, null, null)
        """)
    else:
        do(f"""
            use shop;
            create table orders (id bigint unsigned primary key, customer varchar(20), total decimal(40, 12),
                changed_at timestamp(6), mood enum('good', 'bad'), more json, raw blob, due date, paid bit(1));
            set time_zone = '+00:00';
            insert into orders values
                (18446744073709551615, 'Café', {TOTAL}, '2026-03-01 08:00', 'good', '{{"a": 1.10}}', x'00ff',
                 '2026-03-09', b'1'),
                (2, null, null, '2026-03-02 08:00', null, null, null, null, null)
        """)
    says = [str(one) for one in database.test(held)]
    assert says[0] == "The database answers."
    first = database.pull(held, {}, tmp_path / "1", now=NOW)
    assert first.rows == {"orders.parquet": 2, "sums.parquet": 2}
    assert max(column(tmp_path / "1", "orders", "id"), key=int) in ("9007199254740993", "18446744073709551615")
    assert sorted(column(tmp_path / "1", "orders", "total"), key=str) == [TOTAL, None]
    assert {TOTAL, None} == set(column(tmp_path / "1", "sums", "total"))
    assert "Café" in column(tmp_path / "1", "orders", "customer")
    assert "2026-03-09" in column(tmp_path / "1", "orders", "due")
    assert any("1.10" in (text or "") for text in column(tmp_path / "1", "orders", "more"))
    at = min(column(tmp_path / "1", "orders", "changed_at"))
    assert at.replace("+00", "").removesuffix(".000000") == "2026-03-01 08:00:00"
    assert first.cursors["orders"].startswith("2026-03-02 08:00:00")
    new = "('3', 'New', 1, '2026-03-02 08:00:01', null, null, null, null, null)"
    do(f"insert into orders values ({new[1:-1]}, null, null)" if kind == "postgres"
       else f"use shop; set time_zone = '+00:00'; insert into orders values {new}")  # fmt: skip
    if kind == "postgres":
        do("update orders set changed_at = '2026-03-02 08:00:01+00' where id = 3")
    second = database.pull(held, first.cursors, tmp_path / "2", now=NOW)
    assert sorted(column(tmp_path / "2", "orders", "id")) == ["2", "3"]  # the newest again: changes may show late
    assert second.cursors["orders"].startswith("2026-03-02 08:00:01")
    writes = replace(held, reads=reads_of('[[read]]\nname = "x"\nselect = "with d as (delete from orders) select 1"'))
    with pytest.raises(NoAnswer, match="the database says"):
        database.test(writes)
    assert database.pull(held, {}, tmp_path / "3", now=NOW).rows["orders.parquet"] == 3
    with pytest.raises(NoAnswer, match="does not answer at port"):
        database.test(replace(held, port=free_port()))


def test_sqlite_is_read_as_it_is(tmp_path: Path) -> None:
    """Values keep their own type; a row from the future does not hide what comes after; the file stays untouched."""
    file = tmp_path / "shop'#.sqlite3"
    with closing(sqlite3.connect(file)) as there:
        there.execute("create table orders (id integer, customer text, total, changed_at text)")
        there.executemany(
            "insert into orders values (?, ?, ?, ?)",
            [(2**53 + 1, "Café", 0.1, "2026-03-01 08:00:00"), (2, b"\x00\xff", "1.10", "2099-01-01 00:00:00"),
             (3, None, 7, None)],
        )  # fmt: skip
        there.commit()
    before = file.read_bytes()
    held = Database("sqlite", str(file), READS)
    first = database.pull(held, {}, tmp_path / "1", now=NOW)
    assert column(tmp_path / "1", "orders", "id") == [str(2**53 + 1), "2", "3"]
    assert column(tmp_path / "1", "orders", "customer") == ["Café", "00ff", None]
    assert column(tmp_path / "1", "orders", "total") == ["0.1", "1.10", "7"]
    assert first.cursors["orders"] == "2026-04-01 14:00:00"
    assert file.read_bytes() == before
    by_number = replace(held, reads=reads_of('[[read]]\nname = "n"\ntable = "orders"\ncursor = "id"\noverlap = 0'))
    numbers = database.pull(by_number, {"n": "3"}, tmp_path / "2", now=NOW)
    assert column(tmp_path / "2", "n", "id") == [str(2**53 + 1), "3"]
    assert Decimal(numbers.cursors["n"]) == 2**53 + 1
    assert database.pull(replace(held, reads=READS[:1]), {"orders": "2098-01-01"}, tmp_path / "3", now=NOW).rows == {
        "orders.parquet": 1
    }
    with pytest.raises(BadReads, match=r"has no column 'nothing'; it has: id, customer"):
        database.test(replace(held, reads=reads_of('[[read]]\nname = "n"\ntable = "orders"\ncursor = "nothing"')))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[read]]\nname = 'x'", "needs a table or a select"),
        ("[[read]]\nname = 'x'\ntable = 'a; drop table a'", "is no name of a table"),
        ("[[read]]\nname = 'x'\nselect = 'delete from a'", "only one SELECT is read"),
        ("[[read]]\nname = 'x'\nselect = 'select 1; select 2'", "only one SELECT is read"),
        ("[[read]]\nname = '../x'\ntable = 'a'", "is no name of a file"),
        ("[[read]]\nname = 'x'\ntable = 'a'\ncolour = 'red'", "unknown field `colour`"),
    ],
)
def test_what_is_read_of_a_database_is_said_plainly(text: str, says: str) -> None:
    with pytest.raises(BadReads, match=says):
        reads_of(text)


def test_a_bucket_is_read_once_and_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New and changed files come, once; nothing is deleted there; a name cannot lead out of the folder."""
    pytest.importorskip("s3fs")
    server, boto3 = pytest.importorskip("moto.server"), pytest.importorskip("boto3")
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "k"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    try:
        host, port = running.get_host_and_port()
        address = f"http://{host}:{port}"
        with closing(boto3.client("s3", endpoint_url=address, region_name="us-east-1")) as there:
            there.create_bucket(Bucket="exports")
            for key, body in (("crm/deals.csv", b"a\n1\n"), ("crm/sub/x.csv", b"b\n2\n"), ("other.csv", b"c\n3\n"),
                              ("crm/empty.csv", b""), ("crm/../out.csv", b"d\n4\n")):  # fmt: skip
                there.put_object(Bucket="exports", Key=key, Body=body)
            held = replace(Storage("exports/crm", bucket=True, endpoint=address, local=True), **KEYS)
            assert "deals.csv" in str(storage.test(held)[0])
            first = storage.pull(held, {}, tmp_path / "1", now=NOW)
            assert first.rows == {"deals.csv": 4, "sub/x.csv": 4}
            assert (tmp_path / "1" / "sub" / "x.csv").read_bytes() == b"b\n2\n"
            there.put_object(Bucket="exports", Key="crm/deals.csv", Body=b"a\n9\n")
            second = storage.pull(held, first.cursors, tmp_path / "2", now=NOW)
            assert second.rows == {"deals.csv": 4}
            assert storage.pull(held, second.cursors, tmp_path / "3", now=NOW).rows == {}
            assert len(there.list_objects_v2(Bucket="exports")["Contents"]) == 5
        with pytest.raises(storage.BadStorage, match="is not there"):
            storage.test(replace(held, path="exports/nothing"))
    finally:
        running.stop()
