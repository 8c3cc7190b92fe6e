import math

import pytest
from optbench.problems.cnn import CNN


def test_a_fresh_network_has_the_loss_of_guessing():
    problem = CNN()
    start = problem.evaluate(problem.start(range(30)), 0)["objective"].median().item()
    assert start == pytest.approx(math.log(10), rel=0.02)


def test_it_has_as_many_parameters_as_stated():
    assert CNN().layout.n == (9 * 8 + 8) + (9 * 8 * 16 + 16) + (4 * 16 * 10 + 10) == 1898


def test_a_setting_out_of_range_is_refused_in_one_line():
    with pytest.raises(ValueError, match=r"CNN: channels must lie in \[1, inf\), whole, got 0"):
        CNN(channels=0)
