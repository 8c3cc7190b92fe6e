"""Transformer on short sequences of tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from optbench.checks import setting
from optbench.nn.architecture import Architecture
from optbench.nn.blocks import TransformerBlock
from optbench.nn.layers import Last, Position


@dataclass(frozen=True, kw_only=True)
class Transformer(Architecture):
    """Attention blocks read a short sequence of tokens and answer at its last place, or at every place.

        h₀ = E[tokens] + P
        pre-LN:  h ← h + attend(LN(h)),  h ← h + feed(LN(h));   post-LN:  h ← LN(h + attend(h)),  h ← LN(h + feed(h))
        z = W h + b,   f = mean over what is asked of −log softmax(z)[label]

    feed has one hidden layer with relu as set; attention looks back only. Data: recall, key–value pairs and then a key:
    3,000 sequences of 10 tokens to train, 1,000 to validate, 1,000 to test. 26,856 parameters as set; one block alone
    cannot look up a value. With
    `data=modular_addition` it learns by heart long before it generalises: see the suite deep.

    Domain: ℝⁿ. Start: matrices U(±1/√m) with m inputs of a unit, embeddings N(0, 1), places N(0, 0.02²), by seed. Minimum:
    unknown; 0 is a lower bound. Targets: τ ln(classes) for τ = 10⁻¹, 10⁻², 10⁻³: ln(classes) is the loss of guessing.

    Args:
        width: numbers in a vector.
        heads: attention heads; they divide the width.
        depth: blocks.
        feed: width of the hidden layer of a block's network, in multiples of the width.
        norm_first: normalise before attention and network (pre-LN), with one more normalisation at the end; else behind.
        data: name of a data set of tokens, or where a function that gives one is.
        batch_size: samples in a minibatch; null for all of them.
        split: number of the random split into training, validation and test.

    Raises:
        ValueError: a value lies outside its range, heads do not divide the width, or the data are no tokens.

    Source: Vaswani et al., "Attention is all you need", NeurIPS 2017; pre-LN Xiong et al., "On layer normalization in the
    transformer architecture", ICML 2020; modular addition Power et al., "Grokking", 2022, https://arxiv.org/abs/2201.02177.
    """

    budget: ClassVar[int] = 1000
    unused: ClassVar[tuple[str, ...]] = ("normalisation",)

    width: int = setting(32, least=1)
    heads: int = setting(4, least=1)
    depth: int = setting(2, least=1)
    feed: int = setting(4, least=1)
    norm_first: bool = setting(True)
    data: str = "recall"

    def module(self) -> nn.Module:
        tokens = self.dataset.tokens
        if not tokens:
            raise ValueError(
                f"Transformer reads tokens, and those of {self.data} are numbers; choose data such as recall"
            )
        if self.width % self.heads:
            raise ValueError(f"Transformer: heads must divide width, got {self.heads} and {self.width}")
        blocks = [
            TransformerBlock(
                self.width,
                self.heads,
                nn.Sequential(
                    nn.Linear(self.width, self.feed * self.width),
                    *self.activate(),
                    nn.Linear(self.feed * self.width, self.width),
                ),
                pre=self.norm_first,
                causal=True,
            )
            for _ in range(self.depth)
        ]
        end = [nn.LayerNorm(self.width)] if self.norm_first else []
        place = [] if self.task == "sequence" else [Last()]
        return nn.Sequential(
            nn.Embedding(tokens, self.width),
            Position(self.shape[0], self.width),
            *self.first(),
            *blocks,
            *end,
            *place,
            nn.Linear(self.width, self.outputs),
        )
