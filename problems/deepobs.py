"""The networks of DeepOBS, for any images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from optbench.data.splits import Part
from optbench.interfaces import Loss
from optbench.nn.architecture import Architecture

from .vae import VAE, Coder, divergence

PIXELS = 28 * 28
"""What the squared error of an image is worth beside the divergence of its code: as much as in the source, whatever its size."""


@dataclass(frozen=True, kw_only=True)
class TwoConvTwoDense(Architecture):
    """2c2d: two 5 × 5 convolutions of 32 and 64 channels, each with 2 × 2 max-pooling, then layers of 1,024 and the classes.

    Source: Schneider, Balles & Hennig, "DeepOBS: a deep learning optimizer benchmark suite", ICLR 2019.
    """

    def module(self) -> nn.Module:
        channels, height, width = self.image_shape
        if min(height, width) < 4:
            raise ValueError(f"{type(self).__name__} halves images twice; those of {self.data} are too small")
        layers = self.first()
        for before, after in ((channels, 32), (32, 64)):
            layers += [nn.Conv2d(before, after, 5, padding=2), *self.normalise(after, image=True), *self.activate()]
            layers += [nn.MaxPool2d(2)]
        return nn.Sequential(*layers, nn.Flatten(), *self.dense(64 * (height // 4) * (width // 4), 1024, self.outputs))


@dataclass(frozen=True, kw_only=True)
class ThreeConvThreeDense(Architecture):
    """3c3d: convolutions of 64, 96 and 128 channels with 3 × 3 max-pooling of stride 2, then 512, 256 and the classes.

    Source: Schneider, Balles & Hennig, "DeepOBS: a deep learning optimizer benchmark suite", ICLR 2019.
    """

    def module(self) -> nn.Module:
        before, height, width = self.image_shape
        layers = self.first()
        for after, kernel, padding in ((64, 5, 0), (96, 3, 0), (128, 3, 1)):
            height, width = (size - kernel + 1 + 2 * padding for size in (height, width))
            layers += [nn.Conv2d(before, after, kernel, padding=padding), *self.normalise(after, image=True)]
            # TensorFlow's "same" pooling pads below and to the right where the size is even
            layers += [*self.activate(), nn.ZeroPad2d((0, 1 - width % 2, 0, 1 - height % 2)), nn.MaxPool2d(3, stride=2)]
            before, height, width = after, -(-height // 2), -(-width // 2)
        if min(height, width) < 1:
            raise ValueError(
                f"{type(self).__name__} needs images of at least 16 × 16 pixels; those of {self.data} are too small"
            )
        return nn.Sequential(*layers, nn.Flatten(), *self.dense(before * height * width, 512, 256, self.outputs))

    def targets(self) -> Sequence[float]:
        # the penalty keeps the loss from falling much further
        return [tau * self.reference_loss() for tau in (0.3, 0.1, 0.05)]


@dataclass(frozen=True, kw_only=True)
class ConvolutionalVAE(VAE):
    """Three convolutions of 64 channels, a code, two dense layers of 24 and a quarter image, three transposed convolutions.

    Pixels lie in [0, 1]; leaky relu of slope 0.3, relu behind transposed convolutions, sigmoid at the end.

    Source: Schneider, Balles & Hennig, "DeepOBS: a deep learning optimizer benchmark suite", ICLR 2019.
    """

    unused: ClassVar[tuple[str, ...]] = ("activation", "normalisation", "input_dropout")

    def prepared(self, part: Part, train: Part) -> Part:
        low, high = train.x.min(), train.x.max()
        x = (part.x - low) / (high - low)
        return Part(x, x.flatten(1))

    def module(self) -> nn.Module:
        channels, height, width = self.image_shape
        if height % 4 or width % 4:
            raise ValueError(
                f"{type(self).__name__} needs sides divisible by 4, and those of {self.data} are {height} × {width}"
            )
        quarter, half = (height // 4) * (width // 4), (height // 2) * (width // 2)

        def drop() -> list[nn.Module]:
            return [nn.Dropout(self.hidden_dropout)] if self.hidden_dropout else []

        # TensorFlow's "same" padding of a kernel of 4 is 1 before and 2 behind; negative padding cuts off
        encoder = [nn.Conv2d(channels, 64, 4, 2, padding=1), nn.LeakyReLU(0.3), *drop()]
        encoder += [nn.Conv2d(64, 64, 4, 2, padding=1), nn.LeakyReLU(0.3), *drop()]
        encoder += [nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(64, 64, 4), nn.LeakyReLU(0.3), *drop()]
        encoder += [nn.Flatten(), nn.Linear(64 * quarter, 2 * self.code)]
        decoder = [nn.Linear(self.code, 24), nn.LeakyReLU(0.3), nn.Linear(24, quarter), nn.LeakyReLU(0.3)]
        decoder += [nn.Unflatten(-1, (1, height // 4, width // 4))]
        decoder += [nn.ConvTranspose2d(1, 64, 4, 2, padding=1), nn.ReLU(), *drop()]
        decoder += [nn.ConvTranspose2d(64, 64, 4, padding=1), nn.ZeroPad2d((0, -1, 0, -1)), nn.ReLU(), *drop()]
        decoder += [nn.ConvTranspose2d(64, 64, 4, padding=1), nn.ZeroPad2d((0, -1, 0, -1)), nn.ReLU()]
        decoder += [nn.Flatten(), nn.Linear(64 * half, channels * height * width), nn.Sigmoid()]
        return Coder(nn.Sequential(*encoder), nn.Sequential(*decoder))

    def criterion(self, out: Any, y: Tensor) -> Loss:
        reconstruction, mean, log_variance = out
        errors = PIXELS * (reconstruction - y).square().mean(dim=-1)
        return (errors + divergence(mean, log_variance)).mean(dim=1)

    def reference_loss(self) -> float:
        y = self.train.y.double()
        return PIXELS * float((y - y.mean(dim=0)).square().mean())
