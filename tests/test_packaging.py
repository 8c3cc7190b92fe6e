"""What is declared, what is pinned, and what a wheel holds."""

import json
import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]
PINS = dict(re.findall(r"^([^#=\s]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE))
ENDINGS = (".py", ".yaml", ".css", ".js", "py.typed")


def run(*command, **kwargs):
    shown = subprocess.run([str(part) for part in command], capture_output=True, text=True, **kwargs)
    assert shown.returncode == 0, f"{shown.stdout}\n{shown.stderr}"
    return shown.stdout


@pytest.fixture(scope="module")
def tracked():
    """Files that git keeps, or would keep once added."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so there is no list of files to compare with")
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()
    return [name for name in listed if (ROOT / name).is_file()]


def installed_name(name):
    """Where a file of the checkout goes in the wheel; None where it has no place there."""
    if name.endswith(ENDINGS) and name.startswith(("optbench/", "problems/", "conf/")):
        return name if name.startswith("optbench/") else f"optbench/{name}"
    return None


def test_the_packages_listed_are_the_folders_that_hold_code_or_settings(tracked):
    files = [installed_name(name) for name in tracked]
    folders = {name.rpartition("/")[0].replace("/", ".") for name in files if name and name.endswith((".py", ".yaml"))}
    assert sorted(SETUPTOOLS["packages"]) == sorted(folders)
    assert SETUPTOOLS["packages"] == sorted(SETUPTOOLS["packages"])


def test_every_folder_of_settings_is_declared_as_data():
    settings = {name for name in SETUPTOOLS["packages"] if name.startswith("optbench.conf")}
    assert {name for name, globs in SETUPTOOLS["package-data"].items() if globs == ["*.yaml"]} == settings


def declared():
    project = PROJECT["project"]
    extras = [text for extra in project["optional-dependencies"].values() for text in extra]
    return [Requirement(text) for text in [*project["dependencies"], *extras]]


def test_every_dependency_is_pinned_within_its_range():
    for requirement in declared():
        pin = PINS.get(canonicalize_name(requirement.name))
        assert pin is not None, f"{requirement.name} is not in constraints.txt"
        assert requirement.specifier.contains(pin), f"{requirement} excludes its own pin {pin}"


def test_the_versions_installed_here_are_those_pinned():
    differ = {name: version(name) for name in ("torch", "numpy", "pandas") if version(name).split("+")[0] != PINS[name]}
    if differ and not os.environ.get("CI"):
        pytest.skip(f"this environment was not made with constraints.txt: {differ}")
    assert differ == {}


def test_asv_installs_what_optbench_needs_at_the_pinned_versions():
    required = json.loads((ROOT / "asv.conf.json").read_text())["matrix"]["req"]
    needed = {canonicalize_name(Requirement(text).name) for text in PROJECT["project"]["dependencies"]}
    assert required == {name: [PINS[name]] for name in needed | {"setuptools"}}


def test_every_third_party_module_imported_is_a_declared_dependency():
    found = set()
    for folder in ("optbench", "problems"):
        for file in (ROOT / folder).rglob("*.py"):
            imports = re.finditer(r"^\s*(?:from (\w+)[\w.]* import|import (\w+))", file.read_text(), flags=re.MULTILINE)
            found |= {match[1] or match[2] for match in imports}
    modules = {"scikit-learn": "sklearn", "hydra-core": "hydra", "pyyaml": "yaml"}
    allowed = {modules.get(Requirement(t).name, Requirement(t).name) for t in PROJECT["project"]["dependencies"]}
    allowed |= {"optbench", *sys.stdlib_module_names}
    assert {name for name in found - allowed if not name.startswith("_")} == set()


def test_no_file_names_a_package_registry(tracked):
    hosts = re.compile(r"(pypi|pythonhosted|download\.pytorch)\.(org|com)")
    named = [name for name in tracked if name.endswith((".txt", ".toml", ".json", ".yml", ".yaml", "Makefile", "run"))]
    assert len(named) > 10
    assert [name for name in named if hosts.search((ROOT / name).read_text())] == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from the sdist, as an index would serve it."""
    folder = tmp_path_factory.mktemp("dist")
    copy = tmp_path_factory.mktemp("source") / "optbench"
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()
    for name in listed:
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, copy)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_holds_the_tracked_files_and_nothing_else(wheel, tracked):
    held = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in held if ".dist-info/" not in name} == {installed_name(name) for name in tracked} - {None}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in held)


@pytest.mark.slow
def test_the_installed_wheel_runs_outside_the_checkout_and_puts_only_optbench_into_site_packages(wheel, tmp_path):
    home = tmp_path / "env"
    venv.create(home, with_pip=False, symlinks=True)
    (site,) = home.glob("lib/python*/site-packages")
    (python,) = home.glob("bin/python")
    target = ["--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check", "--quiet"]
    run(sys.executable, "-m", "pip", "--python", python, "install", *target, wheel)
    assert {p.name for p in site.iterdir()} == {"optbench", wheel.name.split("-py3")[0] + ".dist-info"}
    # What optbench needs comes from this environment, but without its editable install of the checkout.
    needed = tmp_path / "needed"
    needed.mkdir()
    for entry in Path(pytest.__file__).parent.parent.iterdir():
        if "optbench" not in entry.name and entry.suffix != ".pth":
            (needed / entry.name).symlink_to(entry)
    (site / "needed.pth").write_text(f"{needed}\n")
    command = [home / "bin" / "optbench", "run", "suite=smoke", "executor=serial", "results=out"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    run(*command, cwd=tmp_path, env=environment)
    shown = run(
        python, "-c", "import optbench; r = optbench.load('out'); print(optbench.__file__, len(r.runs))", cwd=tmp_path
    )
    place, runs = shown.split()
    assert Path(place).is_relative_to(site)
    assert int(runs) >= 6
