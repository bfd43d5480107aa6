"""DuckDB as the engine for bulk work: one way to open it, one way to quote."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import duckdb

GIGABYTE = 1_000_000_000
# What one process may hold before it spills to the home's folder: two fifths of the machine, at most 4 GB.
INSTALLED = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
MEMORY_LIMIT = os.environ.get("PLAIT_MEMORY", f"{min(4 * GIGABYTE, INSTALLED * 2 // 5) // GIGABYTE or 1}GB")
THREADS = "PLAIT_THREADS"  # how many threads an engine of this process takes; all cores where nobody says


def connect(spill: Path, *, memory_limit: str = MEMORY_LIMIT) -> duckdb.DuckDBPyConnection:
    """Open an engine in memory that spills to the folder `spill` and keeps instants in UTC."""
    spill.mkdir(parents=True, exist_ok=True)
    threads = int(os.environ.get(THREADS, "0"))
    connection = duckdb.connect()
    connection.execute(f"set temp_directory = {literal(str(spill))}")
    connection.execute(f"set memory_limit = {literal(memory_limit)}")
    connection.execute("set global TimeZone = 'UTC'")  # for its cursors too
    connection.execute("set preserve_insertion_order = false")
    if threads:
        connection.execute(f"set threads = {threads}")
    connection.execute("set enable_progress_bar = false")
    connection.execute("set partitioned_write_flush_threshold = 122880")  # a row group; more only fills the memory
    return connection


def literal(text: str) -> str:
    """Quote a text for SQL."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Quote a column or table name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literals(texts: Iterable[str]) -> str:
    """Quote texts for SQL, with commas between."""
    return ", ".join(map(literal, texts))


def text_list(texts: Iterable[str]) -> str:
    """Give texts as an SQL list of literals."""
    return f"[{literals(texts)}]"
