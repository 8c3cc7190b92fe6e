"""Recurrent network on short sequences of tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from optbench.checks import setting
from optbench.nn.architecture import Architecture
from optbench.nn.blocks import Recurrent
from optbench.nn.layers import Last


@dataclass(frozen=True, kw_only=True)
class RNN(Architecture):
    """A recurrent network reads a sequence of tokens and answers at its end, or at every place.

        plain: h ← tanh(W E[token] + a + U h + b)
        LSTM:  i, f, g, o = W E[token] + a + U h + b;   c ← σ(f) c + σ(i) tanh(g);   h ← σ(o) tanh(c)
        z = V h + d,   f = mean over what is asked of −log softmax(z)[label]

    Data: xor_sequence, strings of 16 bits whose parity is asked at the end: 3,000 to train, 1,000 to validate, 1,000 to test.
    Nothing is learnt for hundreds of steps, then all at once. 8,578 parameters as set.

    Domain: ℝⁿ. Start: matrices U(±1/√m) with m inputs of a unit, embeddings N(0, 1), by seed. Minimum: unknown; 0 is a
    lower bound. Targets: τ ln(classes) for τ = 10⁻¹, 10⁻², 10⁻³: ln(classes) is the loss of guessing.

    Args:
        cell: plain or lstm.
        width: numbers in a hidden vector and in an embedding.
        data: name of a data set of tokens, or where a function that gives one is.
        batch_size: samples in a minibatch; null for all of them.
        split: number of the random split into training, validation and test.

    Raises:
        ValueError: a value lies outside its range, or the data are no tokens.

    Source: Elman, "Finding structure in time", Cognitive Science 14 (1990), 179–211; Hochreiter & Schmidhuber, "Long
    short-term memory", Neural Computation 9 (1997), 1735–1780.
    """

    budget: ClassVar[int] = 2000
    unused: ClassVar[tuple[str, ...]] = ("activation", "normalisation", "hidden_dropout")

    cell: str = setting("lstm", choices=("plain", "lstm"))
    width: int = setting(32, least=1)
    data: str = "xor_sequence"

    def module(self) -> nn.Module:
        tokens = self.dataset.tokens
        if not tokens:
            raise ValueError(
                f"RNN reads tokens, and those of {self.data} are numbers; choose data such as xor_sequence"
            )
        place = [] if self.task == "sequence" else [Last()]
        return nn.Sequential(
            nn.Embedding(tokens, self.width),
            *self.first(),
            Recurrent(self.width, self.width, lstm=self.cell == "lstm"),
            *place,
            nn.Linear(self.width, self.outputs),
        )
