from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from optbench.problems.rosenbrock import Rosenbrock

from optbench import registry
from optbench.errors import UsageError
from optbench.optimizers.adam import Adam

pytestmark = pytest.mark.usefixtures("types_unchecked")


def test_names_dotted_paths_and_files_lead_to_classes(mine: Path, folder: Path) -> None:
    (folder / "pack").mkdir()
    (folder / "pack" / "__init__.py").write_text("class Outer:\n    class Inner:\n        pass\n")
    assert registry.resolve("optimizer", "adam") is Adam
    assert registry.resolve("problem", "rosenbrock") is Rosenbrock
    assert registry.resolve("optimizer", "torch.optim.NAdam") is torch.optim.NAdam
    assert registry.resolve("optimizer", "torch.optim.nadam.NAdam") is torch.optim.NAdam
    assert registry.resolve("optimizer", "pack.Outer.Inner").__qualname__ == "Outer.Inner"
    loaded = registry.resolve("optimizer", "./mine.py:Mine")
    assert issubclass(loaded, torch.optim.Optimizer)
    assert registry.resolve("optimizer", f"{mine}:Mine") is loaded


def test_packages_that_options_need_are_named_as_pip_knows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lion_pytorch", None)  # as if it were not installed
    with pytest.raises(UsageError, match="there is no package 'lion_pytorch' here; pip install lion-pytorch"):
        registry.load_object("lion_pytorch.Lion")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("torch.optim.NAdamm", "torch.optim has no 'NAdamm'; did you mean 'NAdam'"),
        ("torch.nope.Adam", "torch has no 'nope'"),
        ("nopackage.Class", "there is no package 'nopackage' here; is it installed"),
        ("./nofile.py:Mine", "there is no file ./nofile.py"),
        ("./mine.py:Mime", "mine.py defines no 'Mime'; did you mean 'Mine'"),
        ("./mine.py", "say which class of the file is meant, as in ./mine.py:Mine"),
        ("mine.py", "say which class of the file is meant, as in mine.py:Mine"),
        ("./broken.py:X", "broken.py cannot be imported: ZeroDivisionError: division by zero"),
        ("./words.txt:X", "is not a Python file"),
        ("needy.X", "needs the package 'nopackage'; install it first"),
        ("broken.X", "importing broken failed: ZeroDivisionError"),
    ],
)
def test_a_path_that_leads_nowhere_says_where_it_ends(mine: Path, folder: Path, path: str, said: str) -> None:
    (folder / "broken.py").write_text("1 / 0\n")
    (folder / "needy.py").write_text("import nopackage.sub\n")
    (folder / "words.txt").write_text("words\n")
    with pytest.raises(UsageError) as told:
        registry.resolve("optimizer", path)
    assert said in str(told.value)


def test_an_unknown_name_is_told_the_near_ones() -> None:
    with pytest.raises(UsageError, match="no optimizer is called 'adamm'; did you mean 'adam'"):
        registry.resolve("optimizer", "adamm")


def test_other_names_lead_to_names_and_are_none_themselves() -> None:
    known = {name for kind in registry.KINDS for name in registry.table(kind)}
    assert {name for names in registry.OTHER_NAMES.values() for name in names} <= known
    assert not set(registry.OTHER_NAMES) & known
    assert all(word == word.lower() for word in registry.OTHER_NAMES)


def test_a_file_edited_in_a_running_session_is_read_anew(mine: Path) -> None:
    old = registry.load_object("mine.py:Mine")
    before = registry.fingerprint(old)
    mine.write_text(mine.read_text().replace("p -= group", "p -= 2 * group"))
    new = registry.load_object("mine.py:Mine")
    assert new is not old
    assert registry.fingerprint(new) != before


def test_a_fingerprint_changes_with_code_not_with_comments(mine: Path) -> None:
    before = registry.fingerprint(registry.load_object("mine.py:Mine"))
    mine.write_text("# a remark\n\n" + mine.read_text())
    assert registry.fingerprint(registry.load_object("mine.py:Mine")) == before
    mine.write_text(mine.read_text().replace("lr=1e-3", "lr=2e-3"))
    assert registry.fingerprint(registry.load_object("mine.py:Mine")) != before


def test_a_fingerprint_changes_with_the_class_it_is_derived_from(folder: Path) -> None:
    child = "from {} import Base\n\n\nclass Child(Base):\n    pass\n"
    for name, value in (("base_one", 1), ("base_two", 2)):
        (folder / f"{name}.py").write_text(f"class Base:\n    value = {value}\n")
    found = []
    for name in ("base_one", "base_two"):
        (folder / "child.py").write_text(child.format(name))
        found.append(registry.fingerprint(registry.load_object("child.py:Child")))
    assert found[0] != found[1]


def test_settings_of_yaml_become_what_the_class_means() -> None:
    built = registry.build("optimizer", "adam", {"lr": "1e-2", "betas": [0.8, 0.9], "eps": 1})
    assert built == Adam(lr=0.01, betas=(0.8, 0.9), eps=1.0)
    assert isinstance(built.eps, float)
    whole = registry.build("problem", "rosenbrock", {"n": 4.0})
    assert whole.n == 4
    assert isinstance(whole.n, int)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"lrr": 1},
            r"adam has no setting 'lrr'; did you mean 'lr'\? \(it has lr, betas, eps, bias_correction, start, eps_inside\)",
        ),
        ({"lr": -1}, r"Adam: lr must lie in \[0, inf\), got -1"),
        ({"lr": "fast"}, "Adam: lr must be a number, got 'fast'"),
        ({"betas": 0.9}, "betas must hold 2 numbers"),
        ({"betas": [0.9, 1.0]}, r"betas must lie in \[0, 1\), got 1"),
        ({"lr": True}, "lr must be a number, got True"),
        ({"lr": float("nan")}, "lr must lie in"),
    ],
)
def test_a_wrong_setting_gives_one_line_with_the_rule(settings: dict, said: str) -> None:
    with pytest.raises(UsageError, match=said) as told:
        registry.build("optimizer", "adam", settings)
    assert "\n" not in str(told.value)


def test_defaults_are_those_of_the_class() -> None:
    assert registry.defaults(Adam) == {
        "lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "bias_correction": True, "start": "zero", "eps_inside": False,
    }  # fmt: skip
    assert registry.defaults(torch.optim.SGD) == {}
