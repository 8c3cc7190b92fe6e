import pytest
from torch import nn

import optbench
from optbench.errors import UsageError
from optbench.plan import plan

NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self, inputs, outputs, width=12):
        super().__init__()
        self.first, self.second = nn.Linear(inputs, width), nn.Linear(width, outputs)

    def forward(self, x):
        return self.second(self.first(x.flatten(1)).tanh())
"""


class Net(nn.Module):
    """Not of optbench's blocks: runs under vmap."""

    def __init__(self, inputs, outputs, width=12, drop=0.0):
        super().__init__()
        self.first, self.norm = nn.Linear(inputs, width), nn.BatchNorm1d(width)
        self.drop, self.second = nn.Dropout(drop), nn.Linear(width, outputs)

    def forward(self, x):
        return self.second(self.drop(self.norm(self.first(x.flatten(1))).tanh()))


def test_a_module_of_a_file_runs_on_any_data_from_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET)
    results = optbench.run(
        "problem=module", "problem.class=./net.py:Net", "data=digits,wine", "problem.settings.width=7", "optimizer=sgd",
        "optimizer.lr=0.1", "executor=serial", "tuning.method=none", steps=60, seeds=2, results=tmp_path / "results",
    )  # fmt: skip
    labels = set(results.runs.problem)
    assert labels == {"Net(settings={'width':7})", "Net(settings={'width':7}, data=wine)"}
    assert (results.runs.status == "ok").all()
    assert (results.trials.final_loss < results.trials.start_loss).all()


def test_an_edited_module_is_run_anew(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ids = set()
    for text in (NET, NET.replace("tanh", "relu")):
        (tmp_path / "net.py").write_text(text)
        ids.add(plan(["problem=module", "problem.class=./net.py:Net"]).runs[0].run_id)
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["problem=module"], "module needs problem.class"),
        (["problem=mlp", "data=digit"], "no data set is called 'digit'; did you mean"),
        (["problem=rosenbrock", "data=digits"], "rosenbrock has no setting 'data'"),
        (["problem=cnn", "data=wine"], "needs images"),
        (["problem=mlp", "problem.activation=relo"], "activation must be one of"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(words, message):
    with pytest.raises(UsageError, match=message):
        optbench.run(*words, steps=1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("(x.flatten(1))", "(x)"), r"^Net: it does not fit inputs of shape \[1, 8, 8\]: mat1 and mat2 shapes cannot"),
        (("self.first(", "self.other("), "^Net: it does not fit inputs .*: AttributeError: .* no attribute 'other'"),
        (("width, outputs)", "width, 9)"), r"^Net gives \[3, 9\] for 3 samples of digits, expected \[3, 10\]"),
    ],
)  # fmt: skip
def test_a_module_that_does_not_fit_is_named_once(tmp_path, monkeypatch, wrong, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET.replace(*wrong))
    with pytest.raises(UsageError, match=message):
        optbench.run("problem=module", "problem.class=./net.py:Net", steps=1)
