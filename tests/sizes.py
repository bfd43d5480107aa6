"""Count what `make sizes` shows: lines of functions, files and tests. It shows and fails nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).parents[1]
LONG = 50
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(paths: list[Path]) -> list[Function]:
    """Give every function of some files."""
    trees = [ast.parse(path.read_text("utf-8")) for path in paths]
    return [node for tree in trees for node in ast.walk(tree) if isinstance(node, Function)]


def spread(numbers: list[int]) -> str:
    """Give median and 90th percentile."""
    return f"{median(numbers):.0f} / {quantiles(numbers, n=10)[-1]:.0f}"


def main() -> None:
    """Print the counts."""
    ours, tests = sorted(ROOT.glob("plait/**/*.py")), sorted(ROOT.glob("tests/*.py"))
    found, told = functions(ours), [f for f in functions(tests) if f.name.startswith("test_")]
    lines = [(f.end_lineno or 0) - f.lineno + 1 for f in found]
    files = [len(path.read_text("utf-8").splitlines()) for path in ours]
    typed = sum(1 for f in found if f.returns) / len(found)
    write = sys.stdout.write
    write(f"functions {len(found)}, lines median / p90 {spread(lines)}, over {LONG}: {sum(n > LONG for n in lines)}\n")
    write(f"files {len(files)}, lines p90 / max {quantiles(files, n=10)[-1]:.0f} / {max(files)}\n")
    write(f"return types {typed:.1%}\n")
    write(f"tests {len(told)}, lines median / p90 {spread([(f.end_lineno or 0) - f.lineno + 1 for f in told])}\n")
    linted = subprocess.run(["lint-imports", "--no-cache"], capture_output=True, text=True, check=False, cwd=ROOT)
    write(f"{linted.stdout.strip().splitlines()[-1]} (layers and cycles, lazy imports counted)\n")


if __name__ == "__main__":
    main()
