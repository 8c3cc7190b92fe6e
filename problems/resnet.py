"""ResNet: a small residual network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from optbench.checks import setting
from optbench.nn.architecture import NORMALISATIONS, Architecture
from optbench.nn.blocks import Residual


@dataclass(frozen=True, kw_only=True)
class ResNet(Architecture):
    """Residual blocks of convolutions with batch normalisation, on the 8 × 8 images of digits unless others are named.

        h₀ = φ(norm(conv₃ₓ₃(x))),   hᵢ = φ(s(hᵢ₋₁) + norm(conv₃ₓ₃(φ(norm(conv₃ₓ₃(hᵢ₋₁))))))
        z = W mean over places(h) + b,   f = mean over samples of −log softmax(z)[label]

    s is the identity, or a 1 × 1 convolution with normalisation where a stage begins: each halves the image and doubles the
    channels. Data: digits, 1,078 images to train, 360 to validate, 359 to test. 5,122 parameters as set.

    Domain: ℝⁿ. Start: torch's default, U(±1/√m) with m inputs of a unit, by seed. Minimum: unknown; 0 is a lower bound.
    Targets: τ ln 10 for τ = 10⁻¹, 10⁻², 10⁻³: ln 10 is the loss of guessing.

    Args:
        channels: of the first stage.
        stages: each halves the image but the first.
        blocks: in each stage.
        normalisation: batch unless another is named; see `optbench show mlp`.
        data: name of a data set of images, or where a function that gives one is.
        batch_size: samples in a minibatch; null for all of them.
        split: number of the random split into training, validation and test.

    Raises:
        ValueError: a value lies outside its range, or the data are no images.

    Source: He, Zhang, Ren & Sun, "Deep residual learning for image recognition", CVPR 2016, section 4.2.
    """

    budget: ClassVar[int] = 500

    channels: int = setting(8, least=1)
    stages: int = setting(2, least=1)
    blocks: int = setting(1, least=1)
    normalisation: str = setting("batch", choices=NORMALISATIONS)

    def module(self) -> nn.Module:
        before, _, _ = self.image_shape
        layers = [*self.first(), *self.convolution(before, self.channels), *self.activate()]
        before = self.channels
        for stage in range(self.stages):
            for block in range(self.blocks):
                after, stride = self.channels * 2**stage, 2 if stage and not block else 1
                body = [
                    *self.convolution(before, after, stride=stride),
                    *self.activate(),
                    *self.convolution(after, after),
                ]
                shortcut = nn.Sequential(*self.convolution(before, after, 1, stride)) if before != after else None
                layers += [Residual(nn.Sequential(*body), shortcut), *self.activate()]
                before = after
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, self.outputs))

    def convolution(self, before: int, after: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
        """A convolution and its normalisation; without one it has a bias."""
        bias = self.normalisation == "none"
        made = nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, bias=bias)
        return [made, *self.normalise(after, image=True)]
