"""What a comparison consists of."""

from __future__ import annotations

from dataclasses import dataclass

RUN = ["problem", "optimizer", "schedule", "modifier"]
CELL = [*RUN, "role"]
EVALUATED = ["tuned", "default"]
"""Roles on evaluation seeds; the first that both sides have speaks for a problem in the tests."""


@dataclass(frozen=True)
class Finding:
    """One cell's change in one exact measure. verdict: "regression", "improvement" or "changed" (within the size)."""

    verdict: str
    problem: str
    optimizer: str
    schedule: str
    modifier: str
    role: str
    measure: str
    base: float
    new: float
    text: str


@dataclass(frozen=True)
class Test:
    """One optimizer's change in one measure over all problems.

    verdict: "regression", "improvement", "no change shown" or "too few problems"; for times "slower" and "faster".
    ratio: the median over problems of the median paired ratio, above 1 where new costs more.
    needed: the number of problems from which this test could show anything.
    """

    __test__ = False  # the name is not meant for pytest

    optimizer: str
    measure: str
    problems: int
    needed: int
    ratio: float
    p: float
    p_adjusted: float
    verdict: str


@dataclass(frozen=True)
class Interval:
    """Median ratio new / base of one cell over its pairs, with an interval of the coverage stated. Never gates."""

    problem: str
    optimizer: str
    schedule: str
    modifier: str
    role: str
    measure: str
    pairs: int
    ratio: float
    low: float
    high: float
    coverage: float

    @property
    def leaves_out_one(self) -> bool:
        return self.low > 1 or self.high < 1


@dataclass(frozen=True)
class Comparison:
    """All that was found. `notes` are the things that differ or could not be compared, one line each."""

    size: float
    alpha: float
    runs: int
    trials: int
    findings: list[Finding]
    tests: list[Test]
    intervals: list[Interval]
    notes: list[str]

    def judged(self, *verdicts: str) -> list[Finding | Test]:
        """Findings and tests with one of these verdicts."""
        return [item for item in [*self.findings, *self.tests] if item.verdict in verdicts]

    @property
    def regressions(self) -> list[Finding | Test]:
        return self.judged("regression")

    @property
    def verdict(self) -> str:
        """One line: how many regressions and improvements."""
        worse, better = len(self.regressions), len(self.judged("improvement"))
        counts = ", ".join(
            f"{count} {word}{'s' if count > 1 else ''}"
            for count, word in ((worse, "regression"), (better, "improvement"))
            if count
        )
        if counts:
            return counts
        return "Nothing regressed" if self.runs else "Nothing could be compared"
