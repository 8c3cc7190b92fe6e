"""CNN: a small convolutional network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from optbench.checks import setting
from optbench.nn.architecture import Architecture


@dataclass(frozen=True, kw_only=True)
class CNN(Architecture):
    """Convolutions with relu and max-pooling, then a linear layer, on the 8 × 8 images of digits unless others are named.

        hᵢ = pool(φ(norm(conv₃ₓ₃(hᵢ₋₁)))),   z = W h + b
        f = mean over samples of −log softmax(z)[label]

    Data: digits, 1,797 images, standardised on the training part (all pixels together); 1,078 to train, 360 to
    validate, 359 to test. 8 and 16 channels as set, zero padding, pooling 2 × 2: 1,898 parameters.

    Domain: ℝⁿ. Start: torch's default, weights and biases U(±1/√m) with m inputs of a unit, by seed. Minimum: unknown;
    0 is a lower bound, approached when every training sample is classified with growing certainty. Targets: τ ln 10 for
    τ = 10⁻¹, 10⁻², 10⁻³: ln 10 is the loss of guessing, which a fresh network is close to.

    Args:
        channels: channels of the first convolution; each later one has twice as many as the one before.
        depth: convolutions; each halves the image.
        data: name of a data set of images, or where a function that gives one is.
        batch_size: samples in a minibatch; null for all of them.
        split: number of the random split into training, validation and test.

    Raises:
        ValueError: a value lies outside its range, the data are no images or too small, or the batch is larger than the
            training part.

    Source: LeCun, Bottou, Bengio & Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE 86
    (1998), 2278–2324. Data: Alpaydin & Kaynak, UCI Machine Learning Repository, 1998, https://doi.org/10.24432/C50P49.
    """

    budget: ClassVar[int] = 1000

    channels: int = setting(8, least=1)
    depth: int = setting(2, least=1)

    def module(self) -> nn.Module:
        before, height, width = self.image_shape
        layers = self.first()
        for k in range(self.depth):
            channels = self.channels * 2**k
            layers += [nn.Conv2d(before, channels, 3, padding=1), *self.normalise(channels, image=True)]
            layers += [*self.activate(), nn.MaxPool2d(2)]
            before, height, width = channels, height // 2, width // 2
        if min(height, width) < 1:
            raise ValueError(f"CNN: depth {self.depth} halves images of {self.data} to nothing; set a smaller one")
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(before * height * width, self.outputs))
