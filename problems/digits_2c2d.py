"""DeepOBS's 2c2d network on the digits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from optbench.checks import Range

from .deepobs import TwoConvTwoDense


@dataclass(frozen=True, kw_only=True)
class Digits2c2d(TwoConvTwoDense):
    """Two convolutions and two dense layers tell 8 × 8 digits apart: DeepOBS's fmnist_2c2d in embedded form.

        h = pool(φ(conv₅ₓ₅(pool(φ(conv₅ₓ₅(x)))))),   z = W₂ φ(W₁ h + b₁) + b₂
        f = mean over samples of −log softmax(z)[label]

    Channels 32 and 64, 1,024 units, relu, batches of 128 as in the source. Data: digits, 1,078 images to train, 360 to
    validate, 359 to test; they have 8 × 8 pixels instead of 28 × 28, so the dense layer reads 256 numbers, not 3,136. 325,514
    parameters.

    Domain: ℝⁿ. Start: torch's default, U(±1/√m) with m inputs of a unit, by seed; the source draws weights from a
    truncated normal law of standard deviation 0.05. Minimum: unknown; 0 is a lower bound. Targets: τ ln 10 for τ = 10⁻¹, 10⁻²,
    10⁻³; ln 10 is the loss of guessing.

    Args:
        data: name of a data set of images, or where a function that gives one is.
        batch_size: samples in a minibatch, as in the source; null for all of them.
        split: number of the random split into training, validation and test.

    Raises:
        ValueError: a value lies outside its range, the images are too small, or the batch is larger than the training part.
        UsageError: the data must be downloaded and cannot be.

    Source: Schneider, Balles & Hennig, "DeepOBS: a deep learning optimizer benchmark suite", ICLR 2019, test problem
    fmnist_2c2d.
    """

    budget: ClassVar[int] = 300

    data: str = "digits"
    batch_size: int | None = field(default=128, metadata={"range": Range(least=1, whole=True, optional=True)})
