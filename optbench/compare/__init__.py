"""`optbench compare BASE NEW`: what got better or worse. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..store import Results
    from .model import Comparison

__all__ = ["add_arguments", "compare", "run"]


def compare(base: Results, new: Results, *, size: float = 0.05, alpha: float = 0.05) -> Comparison:
    """Pairs the runs and trials of two result sets and judges every measure.

    State bytes, evaluation counts and statuses compare exactly, and so do steps to target and hits where both runs have
    the same `host`. Elsewhere they are tested, as final losses are: one sign-flip test per optimizer and measure over
    the problems, adjusted by Holm, and a size. Times only warn, and only where hosts agree.

    Args:
        base, new: results with the frames `runs`, `trials` and `hits`, as `optbench.load` gives them.
        size: relative change that matters, 0.05 for 5 %; smaller ones are reported as changed.
        alpha: chance of a false alarm over all tests together, in (0, 1).
    """
    from . import exact, pairing, tested
    from .model import Comparison

    notes: list[str] = []
    runs = pairing.paired_runs(base.runs, new.runs, notes)
    trials = pairing.paired_trials(runs, base.trials, new.trials, notes)
    findings = exact.findings(runs, trials, base.hits, new.hits, size)
    ratios = tested.ratios(runs, trials, notes)
    tests = tested.tests(ratios, size, alpha)
    return Comparison(size, alpha, len(runs), len(trials), findings, tests, tested.intervals(ratios), notes)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    parser.add_argument("base", metavar="BASE", help="results folder to compare with")
    parser.add_argument("new", metavar="NEW", help="results folder that is judged")
    parser.add_argument("--format", choices=("text", "markdown", "json"), default="text", help="default: text")
    parser.add_argument("--size", type=_share, default=0.05, help="relative change that matters (default: 0.05)")
    parser.add_argument("--alpha", type=_share, default=0.05, help="chance of any false alarm (default: 0.05)")
    parser.add_argument("-o", "--output", metavar="FILE", help="write there instead of to the terminal")


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"must be a number between 0 and 1, such as 0.05, got {text!r}")
    return value


def run(args: argparse.Namespace) -> int:
    """Loads, compares and prints. Returns 1 where something regressed, else 0.

    Raises:
        UsageError: a folder holds no results, the two have no run in common, or the output cannot be written.
    """
    from ..errors import UsageError
    from ..store import Results
    from .text import RENDERERS

    comparison = compare(Results(args.base), Results(args.new), size=args.size, alpha=args.alpha)
    rendered = RENDERERS[args.format](comparison, str(args.base), str(args.new))
    if args.output is None:
        sys.stdout.write(rendered)
    else:
        try:
            Path(args.output).write_text(rendered, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{args.output} cannot be written: {error.strerror}; choose another with -o") from error
        sys.stdout.write(f"{comparison.verdict}; written to {args.output}\n")
    if not comparison.runs:
        raise UsageError(f"{args.base} and {args.new} have no run in common, so nothing could be judged")
    return 1 if comparison.regressions else 0
