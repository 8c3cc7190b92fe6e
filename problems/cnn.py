"""CNN: a small convolutional network on the digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from optbench.checks import setting

from .classifier import Classifier


@dataclass(frozen=True, kw_only=True)
class CNN(Classifier):
    """Two convolutions with ReLU and max-pooling, then a linear layer, tell 8 × 8 images of digits apart.

        h = pool(relu(conv₃ₓ₃(pool(relu(conv₃ₓ₃(x)))))),   z = W h + b
        f = mean over samples of −log softmax(z)[label]

    Data: digits, 1,797 images, standardised on the training part (all pixels together); 1,078 to train, 360 to
    validate, 359 to test. 8 and 16 channels as set, zero padding, pooling 2 × 2: 1,898 parameters.

    Domain: ℝⁿ. Start: torch's default, weights and biases U(±1/√m) with m inputs of a unit, by seed. Minimum: unknown;
    0 is a lower bound, approached when every training sample is classified with growing certainty. Targets: τ ln 10 for
    τ = 10⁻¹, 10⁻², 10⁻³: ln 10 is the loss of guessing, which a fresh network is close to.

    Args:
        channels: channels of the first convolution; the second has twice as many.
        batch_size: samples in a minibatch.
        split: number of the random split into training, validation and test.

    Raises:
        ValueError: a value lies outside its range, or the batch is larger than the training part.

    Source: LeCun, Bottou, Bengio & Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE 86
    (1998), 2278–2324. Data: Alpaydin & Kaynak, UCI Machine Learning Repository, 1998, https://doi.org/10.24432/C50P49.
    """

    data: ClassVar[str] = "digits"
    budget: ClassVar[int] = 1000
    loss_chunk: ClassVar[int | None] = 8

    channels: int = setting(8, least=1)

    def module(self) -> nn.Module:
        wide = 2 * self.channels
        return nn.Sequential(
            nn.Conv2d(1, self.channels, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(self.channels, wide, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(4 * wide, 10),
        )
