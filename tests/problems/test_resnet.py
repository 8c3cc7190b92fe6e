import torch
from optbench.problems.resnet import ResNet
from torch import nn


def test_a_block_adds_to_its_input():
    problem = ResNet(stages=1, normalisation="none", dtype=torch.float64)
    params, x = problem.start([0, 1]), problem.train.x[:3]
    p = {name: value[1] for name, value in problem.layout.split(params).items()}

    def convolve(h, name):
        return nn.functional.conv2d(h, p[f"{name}.weight"], p[f"{name}.bias"], padding=1)

    h = convolve(x, "0").relu()
    h = (h + convolve(convolve(h, "2.body.0").relu(), "2.body.2")).relu()
    expected = h.mean(dim=(2, 3)) @ p["6.weight"].T + p["6.bias"]
    torch.testing.assert_close(problem.outputs_of(params, x)[1], expected)


def test_stages_halve_the_image_and_double_the_channels():
    problem = ResNet(channels=4, stages=3, blocks=2)
    convolutions = [shape for shape in problem.layout.shapes if len(shape) == 4]
    assert [shape[0] for shape in convolutions] == [4] * 5 + [8] * 5 + [16] * 5
    assert [shape[2] for shape in convolutions].count(1) == 2
    assert ResNet().layout.n == 5122
