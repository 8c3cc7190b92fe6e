import pytest
import torch
from optbench.problems.rnn import RNN
from torch import nn


@pytest.mark.parametrize(("cell", "kind"), [("plain", nn.RNN), ("lstm", nn.LSTM)])
def test_outputs_are_those_of_torchs_recurrent_layers(cell, kind):
    problem = RNN(cell=cell, width=6, dtype=torch.float64)
    params, x = problem.start([0, 4]), problem.train.x[:5]
    values = {name: value[1] for name, value in problem.layout.split(params).items()}
    theirs = kind(6, 6, batch_first=True).double()
    names = {"weight_ih_l0": "1.outside.weight", "bias_ih_l0": "1.outside.bias"}
    names |= {"weight_hh_l0": "1.inside.weight", "bias_hh_l0": "1.inside.bias"}
    theirs.load_state_dict({there: values[here] for there, here in names.items()})
    hidden = theirs(values["0.weight"][x])[0][:, -1]
    expected = hidden @ values["3.weight"].T + values["3.bias"]
    torch.testing.assert_close(problem.outputs_of(params, x)[1], expected)


def test_it_has_as_many_parameters_as_stated():
    assert RNN().layout.n == 8578


def test_numbers_are_refused():
    with pytest.raises(ValueError, match="reads tokens, and those of wine are numbers"):
        RNN(data="wine").start([0])
