"""What importing does and does not bring along; each in a process of its own."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "pandas", "matplotlib", "hydra", "numpy", "scipy", "sklearn", "pyarrow"}
ROOT = Path(__file__).parent.parent
FILES = [*(ROOT / "optbench").rglob("*.py"), *(ROOT / "problems").rglob("*.py")]
NAMES = sorted(
    re.sub(r"^problems", "optbench.problems", ".".join(file.relative_to(ROOT).with_suffix("").parts)).removesuffix(
        ".__init__"
    )
    for file in FILES
)


def modules_after(code):
    """Names of the modules in a fresh Python after this code."""
    code += "\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    return set(json.loads(shown.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def everything():
    return modules_after(f"import importlib\nfor name in {NAMES}: importlib.import_module(name)")


def test_help_imports_nothing_heavy():
    loaded = modules_after("""
from optbench.cli import main
try:
    main(["--help"])
except SystemExit as stop:
    assert stop.code == 0
""")
    assert "optbench.cli" in loaded
    assert not HEAVY & loaded


def test_importing_optbench_alone_imports_nothing_heavy():
    assert not HEAVY & modules_after("import optbench")


def test_a_misspelt_verb_is_told_without_importing_anything_heavy():
    assert not HEAVY & modules_after("from optbench.cli import main; assert main(['rnu']) == 2")


def test_every_module_can_be_imported(everything):
    assert {"optbench.problems.rosenbrock", "optbench.runner", "optbench.report"} <= set(NAMES) <= everything


def test_nothing_is_imported_under_two_names(everything):
    twice = {"optbench.optbench", "optbench.tests", "optbench.benchmarks", "problems", "conf"}
    assert not twice & everything


def test_reading_and_comparing_results_needs_no_torch():
    light = [n for n in NAMES if n.split(".")[1:2] in (["store"], ["errors"], ["compare"], ["report"], ["statistics"])]
    loaded = modules_after(f"import importlib\nfor name in {light}: importlib.import_module(name)")
    assert {"optbench.store", "optbench.compare.text", "optbench.statistics.comparison"} <= loaded
    assert "torch" not in loaded
