"""Modules made of others whose arithmetic does not mind a dimension of trials in front."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .attention import attend
from .elementwise import logistic

Part = Callable[..., Any]
"""(name of a child, inputs…) → its output."""


class Composite(nn.Module, abc.ABC):
    """A module whose children hold all parameters and whose own arithmetic works with any dimensions in front.

    Its children run in their batched forms, so it needs neither vmap nor a loop over trials. As an ordinary
    torch.nn.Module it does the same.
    """

    @abc.abstractmethod
    def combine(self, part: Part, x: Tensor) -> Any:
        """The output; `part("name", x)` is child `name` on x. Count dimensions from the end."""

    def forward(self, x: Tensor) -> Any:
        return self.combine(lambda name, *given: self.get_submodule(name)(*given), x)


class Residual(Composite):
    """y = shortcut(x) + body(x).

    Args:
        body: changes x.
        shortcut: brings x to the shape of the body's output; None: x itself.

    Source: He, Zhang, Ren & Sun, "Deep residual learning for image recognition", CVPR 2016, equation 1.
    """

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None):
        super().__init__()
        self.body, self.shortcut = body, shortcut or nn.Identity()

    def combine(self, part: Part, x: Tensor) -> Tensor:
        return part("shortcut", x) + part("body", x)


class Heads(Composite):
    """A trunk and several heads on it; the output is the tuple of theirs.

    Source: Caruana, "Multitask learning", Machine Learning 28 (1997), 41–75: hard parameter sharing.
    """

    def __init__(self, trunk: nn.Module, *heads: nn.Module):
        super().__init__()
        self.trunk = trunk
        self.heads = [f"head{k}" for k in range(len(heads))]
        for name, head in zip(self.heads, heads, strict=True):
            self.add_module(name, head)

    def combine(self, part: Part, x: Tensor) -> tuple[Tensor, ...]:
        shared = part("trunk", x)
        return tuple(part(name, shared) for name in self.heads)


class SelfAttention(Composite):
    """Multi-head self-attention.

        Q, K, V = x W_q, x W_k, x W_v;   head = softmax(Q Kᵀ/√d) V;   y = [head₁ … head_h] W_o

    Args:
        width: numbers in a vector.
        heads: how many; each has width/heads numbers.
        causal: a place sees only those before it and itself.

    Source: Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2.
    """

    def __init__(self, width: int, heads: int, causal: bool):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.inputs, self.outputs = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def combine(self, part: Part, x: Tensor) -> Tensor:
        together = part("inputs", x).unflatten(-1, (3, self.heads, -1))
        return part("outputs", attend(together, self.causal))


class TransformerBlock(Composite):
    """Attention and a two-layer network, each with a skip connection and layer normalisation.

        pre:  h = x + attend(norm₁(x));   y = h + feed(norm₂(h))
        post: h = norm₁(x + attend(x));   y = norm₂(h + feed(h))

    Args:
        width: numbers in a vector.
        heads: heads of the attention.
        feed: the network on each place.
        pre: normalise before rather than after.
        causal: a place sees only those before it and itself.

    Source: post-LN Vaswani et al. 2017; pre-LN Xiong et al., "On layer normalization in the transformer architecture",
    ICML 2020, Table 1.
    """

    def __init__(self, width: int, heads: int, feed: nn.Module, *, pre: bool, causal: bool):
        super().__init__()
        self.pre = pre
        self.attend, self.feed = SelfAttention(width, heads, causal), feed
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def combine(self, part: Part, x: Tensor) -> Tensor:
        if self.pre:
            h = x + part("attend", part("norm1", x))
            return h + part("feed", part("norm2", h))
        h = part("norm1", x + part("attend", x))
        return part("norm2", h + part("feed", h))


class Recurrent(Composite):
    """A plain recurrent network or an LSTM over a sequence `[…, length, inputs]`, returning all hidden vectors.

        plain: h ← tanh(W x + U h + b)
        LSTM:  i, f, g, o = W x + U h + b;   c ← σ(f) c + σ(i) tanh(g);   h ← σ(o) tanh(c)

    Same result as torch.nn.RNN and torch.nn.LSTM with the same weights, which vmap cannot carry.

    Args:
        inputs: numbers at each place.
        width: numbers in a hidden vector.
        lstm: the LSTM's gates.

    Source: Elman, "Finding structure in time", Cognitive Science 14 (1990), 179–211; Hochreiter & Schmidhuber, "Long
    short-term memory", Neural Computation 9 (1997), 1735–1780, with the forget gate of Gers et al. 2000.
    """

    def __init__(self, inputs: int, width: int, *, lstm: bool):
        super().__init__()
        self.lstm = lstm
        gates = 4 if lstm else 1
        self.outside, self.inside = nn.Linear(inputs, gates * width), nn.Linear(width, gates * width)

    def combine(self, part: Part, x: Tensor) -> Tensor:
        seen = part("outside", x)
        width = seen.shape[-1] // (4 if self.lstm else 1)
        h = c = torch.zeros_like(seen[..., 0, :width])
        hidden = []
        for place in range(seen.shape[-2]):
            gates = seen[..., place, :] + part("inside", h)
            if self.lstm:
                i, f, g, o = gates.chunk(4, dim=-1)
                c = logistic(f) * c + logistic(i) * torch.tanh(g)
                h = logistic(o) * torch.tanh(c)
            else:
                h = torch.tanh(gates)
            hidden.append(h)
        return torch.stack(hidden, dim=-2)


HIDDEN = (nn.ReLU, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.ELU, nn.Softplus, Recurrent)
"""Layers whose outputs are the activations of hidden units."""
