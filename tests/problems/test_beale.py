import pytest
import torch
from optbench.problems.beale import Beale


def at(x: float, y: float) -> float:
    return Beale().loss(torch.tensor([[x, y]], dtype=torch.float64), None).item()


def test_values_agree_with_those_worked_by_hand():
    assert at(1, 1) == 1.5**2 + 2.25**2 + 2.625**2 == 14.203125
    assert at(3, 0.5) == 0
    assert at(2, -1) == (1.5 - 4) ** 2 + 2.25**2 + (2.625 - 4) ** 2


def test_the_condition_number_at_the_minimum_is_about_162(hessian):
    low, high = torch.linalg.eigvalsh(hessian(Beale(), [3, 0.5])).tolist()
    assert high / low == pytest.approx(162.5, abs=0.1)


def test_starts_scatter_about_one_by_a_tenth():
    away = Beale().start(range(2000)) - 1
    assert away.mean(dim=0).abs().max() < 0.01
    assert away.std(dim=0).tolist() == pytest.approx([0.1, 0.1], rel=0.06)
