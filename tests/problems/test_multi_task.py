import pytest
import torch
from optbench.problems.multi_task import MultiTask
from torch.nn.functional import cross_entropy


def test_the_loss_is_the_weighted_sum_of_both_tasks():
    problem = MultiTask(weight=0.3, dtype=torch.float64)
    params, part = problem.start([0, 1]), problem.splits.validation
    digit, odd = (out[1] for out in problem.outputs_of(params, part.x))
    expected = cross_entropy(digit, part.y) + 0.3 * cross_entropy(odd, part.y % 2)
    found = problem.evaluate(params, 0)
    assert found["validation_loss"][1].item() == pytest.approx(expected.item())
    right = (odd.argmax(dim=1) == part.y % 2).double().mean().item()
    assert found["validation_odd_accuracy"][1].item() == pytest.approx(right)


def test_probabilities_of_classes_give_those_of_odd_ones():
    problem = MultiTask(dtype=torch.float64)
    params, batch = problem.start([0, 1]), problem.stream([0, 1]).at(0)
    soft = torch.nn.functional.one_hot(batch.y, 10).double()
    torch.testing.assert_close(problem.loss(params, batch._replace(y=soft)), problem.loss(params, batch))


def test_it_has_as_many_parameters_as_stated():
    assert MultiTask().layout.n == 4940


def test_values_are_refused():
    with pytest.raises(ValueError, match="needs one label a sample, which diabetes has not"):
        MultiTask(data="diabetes").start([0])
