"""Generated sequences of tokens: arithmetic, memory, parity."""

from __future__ import annotations

from functools import cache

import torch
from jaxtyping import Int64
from torch import Tensor

from ..randomness import Randomness
from .dataset import NOT_SCORED, Dataset

KEYS, VALUES, ASKED = range(3)
"""Steps of the random stream: what a number is for."""


@cache
def modular_addition(modulus: int = 97) -> Dataset:
    """All sums of two numbers modulo a prime: tokens [a, b, =] → (a + b) mod p, one label a sample; p² samples.

    Numbers are the tokens 0 … p − 1, the sign = is token p. 80 % are for training.

    Args:
        modulus: p.

    Source: Power et al., "Grokking: generalization beyond overfitting on small algorithmic datasets", 2022,
    https://arxiv.org/abs/2201.02177; without its sign +, which is the same in every sample.
    """
    numbers = torch.arange(modulus)
    pairs = torch.cartesian_prod(numbers, numbers)
    x = torch.cat([pairs, torch.full((len(pairs), 1), modulus)], dim=1)
    y = pairs.sum(dim=1) % modulus
    return Dataset("modular_addition", 1, x, y, modulus, image=False, tokens=modulus + 1, shares=(0.8, 0.1, 0.1))


@cache
def copying(samples: int = 5000, symbols: int = 8, length: int = 5, delay: int = 10, seed: int = 0) -> Dataset:
    """Repeat a word after a pause: `length` symbols, blanks, a sign to go, blanks; the last `length` places are scored.

        inputs     s₁ … s_L  _ … _  !  _ … _
        labels     −1 … … … … … …  −1  s₁ … s_L

    A place is scored where the symbol is to be said, L places that show blanks; the sign stands just before. Symbols are
    the tokens 0 … symbols − 1, then blank, then the sign. No two samples are equal.

    Args:
        samples: number of sequences.
        symbols: size of the alphabet, and the number of classes.
        length: L, symbols to be kept.
        delay: places from the last symbol to the first answer, the sign among them.
        seed: of the draw.

    Raises:
        ValueError: there are fewer different words than samples.

    Source: Arjovsky, Shah & Bengio, "Unitary evolution recurrent neural networks", ICML 2016, section 5.1 (10 symbols of
    8, delays from 100), https://arxiv.org/abs/1511.06464; the task is from Hochreiter & Schmidhuber, "Long short-term
    memory", Neural Computation 9 (1997). There blanks are scored too, here only the word.
    """
    draw = Randomness([seed], "copying data")
    words = _distinct("copying", _below(draw, VALUES, symbols, 2 * samples, length), samples)
    x = torch.full((samples, 2 * length + delay), symbols)
    x[:, :length] = words
    x[:, length + delay - 1] = symbols + 1
    y = torch.full_like(x, NOT_SCORED)
    y[:, length + delay :] = words
    return Dataset("copying", 1, x, y, symbols, image=False, tokens=symbols + 2)


@cache
def recall(samples: int = 5000, keys: int = 16, values: int = 8, pairs: int = 4, seed: int = 0) -> Dataset:
    """Associative recall: keys with their values, then one of the keys again; the label is its value, one a sample.

        inputs     k₁ v₁ k₂ v₂ … k_n v_n ? k_j        label     v_j

    The keys of a sample differ. Keys are the tokens 0 … keys − 1, values the tokens from `keys` on, as labels counted
    from 0; the last token is the question mark. No two samples are equal.

    Args:
        samples: number of sequences.
        keys: different keys.
        values: different values, and the number of classes.
        pairs: n, in one sequence.
        seed: of the draw.

    Raises:
        ValueError: pairs is larger than keys, or there are fewer different sequences than samples.

    Source: Ba et al., "Using fast weights to attend to the recent past", NeurIPS 2016, section 4.1 (4 pairs of 26 letters
    and 10 digits), https://arxiv.org/abs/1610.06258
    """
    if not 1 <= pairs <= keys:
        raise ValueError(f"recall: pairs must lie in [1, {keys}], the number of keys, got {pairs}")
    draw, drawn = Randomness([seed], "recall data"), 2 * samples
    key = draw.words(KEYS, drawn * keys)[0].reshape(drawn, keys).argsort(dim=1)[:, :pairs]
    value = _below(draw, VALUES, values, drawn, pairs)
    asked = _below(draw, ASKED, pairs, drawn, 1)
    shown = torch.stack([key, keys + value], dim=2).flatten(1)
    mark = torch.full((drawn, 1), keys + values)
    answer = value.gather(1, asked)
    whole = torch.cat([shown, mark, key.gather(1, asked), answer], dim=1)
    chosen = _distinct("recall", whole, samples)
    x, y = chosen[:, :-1].contiguous(), chosen[:, -1].contiguous()
    return Dataset("recall", 1, x, y, values, image=False, tokens=keys + values + 1)


@cache
def xor_sequence(samples: int = 5000, length: int = 16, seed: int = 0) -> Dataset:
    """The parity of a string of bits, to be said at its end: one label a sample, 1 for an odd number of ones.

    What is scored is the last exclusive or alone, as in most of the literature, not the running one. No two samples are
    equal.

    Args:
        samples: number of strings.
        length: bits in a string.
        seed: of the draw.

    Raises:
        ValueError: there are fewer different strings than samples.

    Source: the warm-up of "Requests for research 2.0", 2018, https://openai.com/index/requests-for-research-2/ (length
    50); Graves, "Adaptive computation time for recurrent neural networks", 2016, https://arxiv.org/abs/1603.08983
    """
    draw = Randomness([seed], "xor_sequence data")
    x = _distinct("xor_sequence", _below(draw, VALUES, 2, 2 * samples, length), samples)
    return Dataset("xor_sequence", 1, x, x.sum(dim=1) % 2, 2, image=False, tokens=2)


def _below(draw: Randomness, step: int, end: int, rows: int, columns: int) -> Int64[Tensor, "rows columns"]:
    """Whole numbers 0 … end − 1, each equally likely."""
    return (draw.uniform(step, rows * columns)[0] * end).long().reshape(rows, columns)


def _distinct(name: str, drawn: Int64[Tensor, "drawn columns"], samples: int) -> Int64[Tensor, "samples columns"]:
    """The first so many different rows: a sequence of the training part must not come again in the test part."""
    _, group = drawn.unique(dim=0, return_inverse=True)
    first = torch.full((int(group.max()) + 1,), len(drawn)).scatter_reduce(
        0, group, torch.arange(len(drawn)), reduce="amin"
    )
    if len(first) < samples:
        raise ValueError(
            f"{name}: there are only about {len(first)} different sequences, fewer than samples = {samples}"
        )
    return drawn[first.sort().values[:samples]]
