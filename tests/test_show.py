"""What `optbench show` and `optbench list` print."""

from __future__ import annotations

import re

import pytest

from optbench import registry
from optbench.optimizers import OPTIMIZERS
from optbench.verbs.listing import FAMILIES, families, wrapped
from optbench.verbs.show import search, written


def sections(text: str) -> dict[str, str]:
    """What stands under each heading of `optbench show`."""
    found = re.split(r"\n\n(?=[A-Z][\w ]+\n  )", text)
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in found[1:]}


def test_show_adam_tells_everything(typed) -> None:
    said = typed("show", "adam")
    assert said.out.startswith("adam (optimizer) · adaptive\nAdaptive moment estimation.\n\n    m ← β₁ m")
    told = sections(said.out)
    assert list(told) == ["Settings", "Search space", "State per parameter", "Equals", "Source"]
    assert "  betas = [0.9, 0.999] in [0, 1)  " in told["Settings"]
    assert "  bias_correction = true in {true, false}  " in told["Settings"]
    assert told["Search space"].strip() == "lr: log_uniform [0.0001, 10]"
    assert told["State per parameter"].strip() == "8 bytes a parameter in float32, 16 in float64"
    assert told["Equals"].strip().startswith("Same result as torch.optim.Adam; with betas (0, β₂)")
    assert told["Source"].strip().endswith("https://arxiv.org/abs/1412.6980.")


def test_show_of_a_schedule_tells_which_of_torch_it_is(typed) -> None:
    told = sections(typed("show", "linear").out)
    assert told["Equals"].strip() == "Same result as torch.optim.lr_scheduler.LinearLR."
    assert "State per parameter" not in told


def test_show_of_a_wrapped_class_tells_its_state_and_which_rules_of_ours_it_is(typed) -> None:
    told = sections(typed("show", "torch/adamw").out)
    assert told["State per parameter"].strip() == "8 bytes a parameter in float32, 16 in float64"
    assert [line.strip() for line in told["Equals"].splitlines()] == [
        "torch.optim.AdamW itself, stepped by from_torch.",
        "adamw: Same result as torch.optim.AdamW.",
    ]


def test_a_name_that_begins_like_another_is_not_taken_for_it(typed) -> None:
    assert "adamw:" not in sections(typed("show", "torch/adam").out)["Equals"]


def test_show_of_a_class_that_needs_a_rate_says_so(typed, mine) -> None:
    mine.write_text(mine.read_text().replace("lr=1e-3", "lr"))
    said = typed("show", "./mine.py:Mine")
    assert said.status == 0
    assert "unknown: " in sections(said.out)["State per parameter"]


def test_show_of_from_torch_tells_what_stands_beside_the_settings_of_a_class(typed) -> None:
    told = sections(typed("show", "from_torch").out)["Settings"]
    assert [line.split(" = ")[0].strip() for line in told.splitlines()] == ["params", "share", "attributes"]
    assert "see optbench show from_torch" in sections(typed("show", "torch/sgd").out)["Settings"]


def test_a_default_that_is_a_bare_object_is_told_as_not_set(typed, mine) -> None:
    mine.write_text(mine.read_text().replace("lr=1e-3", "lr=1e-3, clipping=object()"))
    said = typed("show", "./mine.py:Mine")
    assert "  clipping = not set\n" in said.out


def test_deprecations_in_a_foreign_class_are_not_shown(typed, mine) -> None:
    warn = "import warnings; warnings.warn('old', FutureWarning)"
    mine.write_text(mine.read_text().replace("super().__init__", f"{warn}; super().__init__"))
    assert warn in mine.read_text()
    assert typed("show", "./mine.py:Mine").err == ""


def test_show_of_a_missing_package_says_what_to_install(typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optbench.verbs.show.installed", lambda path: False)
    said = typed("show", "schedulefree/adamw")
    assert said.status == 2
    assert said.line.endswith("whose package is not installed here (pip install schedulefree)")


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "null"), (True, "true"), (0.1, "0.1"), (1e-8, "1e-08"), ((0.9, None), "[0.9, null]"), ({"a": 1}, "{a: 1}")],
)
def test_values_are_written_as_yaml_has_them(value: object, words: str) -> None:
    assert written(value) == words


def test_every_optimizer_is_in_a_family_that_lists_know() -> None:
    assert families().keys() <= FAMILIES.keys()
    assert sorted(name for names in families().values() for name in names) == sorted(OPTIMIZERS)
    assert list(families())[-1] == "third party"


def test_a_family_of_ones_own_is_listed_before_the_wrapped_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mine(OPTIMIZERS["sgd"]):
        family = "mine"

    monkeypatch.setitem(OPTIMIZERS, "mine", Mine)
    assert list(families())[-2:] == ["mine", "third party"]


def test_a_list_that_is_read_by_a_program_has_a_name_and_a_family_in_each_line(typed) -> None:
    lines = typed("list", "optimizers").out.splitlines()
    found = {line.split()[0]: re.split(r"\s{2,}", line.strip())[1] for line in lines[1:]}
    assert found == {name: cls.family for name, cls in OPTIMIZERS.items()} | dict.fromkeys(wrapped(), "third party")
    order = [family for family in FAMILIES if family in found.values()]
    assert list(dict.fromkeys(found.values())) == order


def test_on_a_terminal_optimizers_stand_under_their_families(typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", typed("list", "optimizers").out)
    blocks = {block.split("  ")[0]: block.splitlines()[1:] for block in plain.strip().split("\n\n")}
    assert list(blocks) == list(families())
    for family, names in families().items():
        listed = [line.split()[0] for line in blocks[family] if line.startswith("  ") and line[2] != " "]
        assert [name for name in listed if "/" not in name] == names
    folders = {line.split("/")[0].strip(): line for line in blocks["third party"] if "/…" in line}
    assert set(folders) == {name.partition("/")[0] for name in wrapped()}
    assert "adadelta, adafactor, adagrad, adam, adamax" in folders["torch"]


def test_what_is_shown_of_search_spaces_is_what_the_files_say() -> None:
    for name in registry.table("optimizer"):
        (line,) = search("optimizer", name)
        assert line.startswith("lr: log_uniform ["), name
