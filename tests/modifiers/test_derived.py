"""What the modifiers share: settings of some rows, and the parameters that a penalty sees."""

from __future__ import annotations

import torch
from contracts import column

from optbench.interfaces import Layout
from optbench.modifiers.derived import of_rows, penalised


def test_a_float_is_everyones_and_a_column_has_one_value_a_trial() -> None:
    rows = torch.tensor([2, 0])
    assert of_rows(0.5, rows) == 0.5
    assert torch.equal(of_rows(column(1.0, 2.0, 3.0), rows), column(3.0, 1.0))
    assert torch.equal(of_rows(column(1.0, 2.0), None), column(1.0, 2.0))


def test_without_biases_a_penalty_sees_weights_and_coordinates_alone() -> None:
    layout = Layout(("w", "b", "scale", "x"), ((2,), (1,), (1,), (2,)), ("weight", "bias", "norm", "point"))
    params = torch.arange(1.0, 13.0).view(2, 6)
    seen = penalised(params, layout, biases=False)
    assert seen.tolist() == [[1, 2, 0, 0, 5, 6], [7, 8, 0, 0, 11, 12]]
    assert penalised(params, layout, biases=True) is params
