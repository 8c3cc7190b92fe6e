"""DeepOBS's variational autoencoder on the digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from optbench.checks import setting
from optbench.nn.initialisers import SCHEMES

from .deepobs import ConvolutionalVAE


@dataclass(frozen=True, kw_only=True)
class DigitsVAE(ConvolutionalVAE):
    """A variational autoencoder on 8 × 8 digits: DeepOBS's mnist_vae in embedded form.

        (μ, s) = encoder(x),   z = μ + e^(s/2) ε,   x̂ = decoder(z)
        f = mean over samples of 784/pixels ‖x̂ − x‖² + ½ Σ (μ² + eˢ − 1 − s)

    Leaky relu (0.3), a code of 8 numbers, dropout 0.2, batches of 64 and
    convolutions as in the source, on smaller images. Data: digits, 1,078 images to train, 360 to validate, 359 to test.
    334,604 parameters.

    Domain: ℝⁿ. Start: Xavier's uniform law, biases zero, by seed. Minimum: unknown; the divergence keeps it
    above 0. Targets: τ f₀ for τ = 0.85, 0.75, 0.7, where f₀ is the loss of the decoder that always gives the mean image and
    of a code without information.

    Args:
        data: name of a data set of images, or where a function that gives one is.
        batch_size: samples in a minibatch, as in the source; null for all of them.
        split: number of the random split into training, validation and test.
        code: numbers in the code, as in the source.
        hidden_dropout: probability that a unit behind a convolution is dropped, as in the source.
        initialisation: law of the weights at the start.

    Raises:
        ValueError: a value lies outside its range, or the batch is larger than the training part.
        UsageError: the data must be downloaded and cannot be.

    Source: Schneider, Balles & Hennig, "DeepOBS: a deep learning optimizer benchmark suite", ICLR 2019, test problem
    mnist_vae. It draws weights by Xavier's uniform law.
    """

    budget: ClassVar[int] = 500

    initialisation: str = setting("xavier_uniform", choices=SCHEMES)
    hidden_dropout: float = setting(0.2, least=0, below=1)
    data: str = "digits"
