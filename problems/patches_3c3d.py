"""DeepOBS's 3c3d network on patches of two photographs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from optbench.checks import Range, setting
from optbench.nn.initialisers import SCHEMES

from .deepobs import ThreeConvThreeDense


@dataclass(frozen=True, kw_only=True)
class Patches3c3d(ThreeConvThreeDense):
    """Three convolutions and three dense layers tell which photograph a patch is of: DeepOBS's cifar10_3c3d in embedded form.

        h = pool(φ(conv₃ₓ₃(pool(φ(conv₃ₓ₃(pool(φ(conv₅ₓ₅(x))))))))),   z = W₃ φ(W₂ φ(W₁ h + b₁) + b₂) + b₃
        f = mean over samples of −log softmax(z)[label],   ½ · 0.002 ‖weights‖² added in training

    Channels 64, 96 and 128, 512 and 256 units, relu, batches of 128 as in the source. Data: patches, 32 × 32 pixels in
    colour; 312 to train, 104 to validate, 104 to test; two classes instead of ten. 893,154 parameters.

    Domain: ℝⁿ. Start: Xavier's normal law, biases zero, by seed; the source takes the uniform one for dense layers. Minimum:
    unknown; 0 is a lower bound. Targets: τ ln 2 for τ = 0.3, 0.1, 0.05; ln 2 is the loss of guessing.

    Args:
        data: name of a data set of images, or where a function that gives one is.
        batch_size: samples in a minibatch, as in the source; null for all of them.
        initialisation: law of the weights at the start.
        l2: factor λ of ½ λ ‖weights‖², as in the source; the objective stays the mean loss alone.
        split: number of the random split into training, validation and test.

    Raises:
        ValueError: a value lies outside its range, the images are too small, or the batch is larger than the training part.
        UsageError: the data must be downloaded and cannot be.

    Source: Schneider, Balles & Hennig, "DeepOBS: a deep learning optimizer benchmark suite", ICLR 2019, test problem
    cifar10_3c3d.
    """

    budget: ClassVar[int] = 50

    data: str = "patches"
    batch_size: int | None = field(default=128, metadata={"range": Range(least=1, whole=True, optional=True)})
    initialisation: str = setting("xavier_normal", choices=SCHEMES)
    l2: float = setting(0.002, least=0)
