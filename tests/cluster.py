"""A real Spark standalone cluster on loopback: one master, two workers, from the PyPI wheel."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plait.spark import find_java

HOST = "127.0.0.1"
PATIENCE = 60.0  # seconds
# A few thousand facts: time goes into starting tasks and compiling queries, so there are few tasks and no compiler.
SMALL = (
    "spark.driver.memory=1g spark.executor.memory=1500m spark.executor.cores=1 spark.sql.shuffle.partitions=2 "
    "spark.default.parallelism=2 spark.sql.codegen.wholeStage=false spark.sql.adaptive.enabled=false "
    "spark.sql.constraintPropagation.enabled=false"
)
INTERPRETED = " spark.sql.codegen.factoryMode=NO_CODEGEN"
# Its processes live for minutes and share two cores: the second compiler, the parallel collector and a second look at
# every class of the wheel would not pay.
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"


@contextmanager
def spark_cluster(work: Path, *, compiling: bool = False) -> Iterator[str]:
    """Start a cluster, give its address, stop it; `compiling`: its executors compile expressions, as by default."""
    import pyspark

    find_java()
    os.environ["JAVA_TOOL_OPTIONS"] = SHORT_LIVED
    home = Path(pyspark.__file__).parent
    environment = os.environ | {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": HOST, "SPARK_NO_DAEMONIZE": "1"}
    port = free_port()
    address = f"spark://{HOST}:{port}"
    spark_class = str(home / "bin" / "spark-class")
    master = ["org.apache.spark.deploy.master.Master", "--host", HOST, "--port", str(port), "--webui-port", "0"]
    worker = ["org.apache.spark.deploy.worker.Worker", "-c", "1", "-m", "2g", "-h", HOST, "--webui-port", "0"]
    commands = [[spark_class, *master]]
    commands += [[spark_class, *worker, "-d", str(work / name), address] for name in ("one", "two")]
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for number, command in enumerate(commands):
            with (work / f"spark-{number}.log").open("wb") as log:
                processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
            if number == 0:
                wait_for(port, processes[0])
        os.environ["PLAIT_SPARK_CONF"] = SMALL if compiling else SMALL + INTERPRETED
        yield address
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait(timeout=30)


def free_port() -> int:
    """Find a port on loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until somebody listens on a port of loopback."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.2)
    raise RuntimeError("the Spark master did not start; its log lies in the test's folder")
