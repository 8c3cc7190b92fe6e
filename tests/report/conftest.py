"""Results made by hand, from which every number of a report can be worked out, and a real browser."""

from __future__ import annotations

import base64
import json
import math
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

TARGET, BUDGET, START = 0.01, 1000, 10.0
RATES = (0.01, 0.1, 1.0)
NEVER = math.inf
FAMILIES = {"sgd": "sgd", "momentum": "sgd", "adam": "adaptive", "lion": "sign", "broken": "adaptive"}
MEDIANS: dict[str, dict[str, float]] = {
    "rosenbrock": {"sgd": NEVER, "momentum": 300, "adam": 200, "lion": 250},
    "beale": {"sgd": 90, "momentum": 60, "adam": 30, "lion": 120},
    "quadratic(n=10)": {"sgd": 50, "momentum": 40, "adam": 60, "lion": 80},
    "saddle": {"sgd": 100, "momentum": 50, "adam": 25, "lion": 100},
    "rastrigin": {"sgd": NEVER, "momentum": NEVER, "adam": NEVER, "lion": NEVER},
    "cliff": {"sgd": 500, "momentum": NEVER, "adam": 100, "lion": 90},
    "mlp": {"sgd": 400, "momentum": 100, "adam": 80, "lion": 160},
}
"""Median steps to the target; the seeds take one step less, the median, and one step more."""


@dataclass(frozen=True)
class MadeUp:
    """Frames with the columns of docs/results.md."""

    runs: pd.DataFrame
    trials: pd.DataFrame
    curves: pd.DataFrame
    hits: pd.DataFrame
    sweeps: Sequence[Mapping[str, Any]]


def made_up(
    medians: Mapping[str, Mapping[str, float]] = MEDIANS,
    step_seconds: Mapping[str, float] | None = None,
    diverged: Sequence[tuple[str, str]] = (),
    errors: Mapping[tuple[str, str], str] | None = None,
    tuned: bool = True,
) -> MadeUp:
    """Results in which everybody's gap falls as 10 · 10^(−3 t / T), T the median steps to the gap 0.01.

    A pair with T = ∞ stays at its start. `diverged` pairs lose every seed at step 2; `errors` are runs without trials.
    The chosen rate is 0.1; the others take three times as long.
    """
    runs, trials, curves, hits = [], [], [], []
    steps_seen = np.unique(np.round(np.geomspace(1, BUDGET, 24)).astype(int))
    targets = [1.0, TARGET, 1e-4]
    for problem, row in medians.items():
        two = problem in ("rosenbrock", "beale", "saddle", "rastrigin")
        for optimizer, median in row.items():
            run_id = f"{problem}/{optimizer}"
            second = (step_seconds or {}).get(optimizer, 1e-4)
            error = (errors or {}).get((problem, optimizer), "")
            ids = {"run_id": run_id, "problem": problem, "optimizer": optimizer, "schedule": "constant", "modifier": ""}
            runs.append({
                **ids, "config_id": run_id, "config": json.dumps({"problem": {"name": problem}}),
                "about": json.dumps(_about(problem, optimizer, two, targets)),
                "status": "error" if error else "ok", "error": error, "n": 2 if two else 10, "steps": BUDGET,
                "target": TARGET, "minimum": 0.0 if problem != "mlp" else np.nan, "dtype": "float64", "device": "cpu",
                "trials_at_once": 9, "sequential": False, "step_seconds": second, "step_seconds_iqr": second / 10,
                "train_seconds": 0.5, "evaluate_seconds": 0.1, "record_seconds": 0.01, "state_bytes": 16,
                "peak_bytes": np.nan, "peak_reserved_bytes": np.nan, "finished": 1_763_600_000.0, "host": "h",
            })  # fmt: skip
            if error:
                continue
            jobs = [("tuning", s, lr, 1_000_000 + k) for s, lr in enumerate(RATES) for k in range(3)] if tuned else []
            jobs += [("tuned", 1, 0.1, k) for k in range(3)] if tuned else []
            jobs += [("default", -1, 0.01, k) for k in range(3)]
            for number, (role, setting, lr, seed) in enumerate(jobs):
                dead = (problem, optimizer) in diverged
                slow = 1 if setting == 1 or not tuned else 3
                rate = median * slow + seed % 1_000_000 - 1 if math.isfinite(median) else NEVER
                reached = {
                    t: math.ceil(math.log10(START / t) / 3 * rate) if math.isfinite(rate) else NEVER for t in targets
                }
                reached = {t: float(s) if s <= BUDGET and not dead else NEVER for t, s in reached.items()}
                final = NEVER if dead else START * 10 ** (-3 * BUDGET / rate)
                trials.append({
                    **ids, "trial": number, "role": role, "setting": setting, "lr": lr, "seed": seed,
                    "status": "diverged" if dead else "ok", "status_step": 2 if dead else -1, "final_loss": final,
                    "best_loss": min(START, final), "start_loss": START, "selection_loss": final,
                    "steps_to_target": reached[TARGET], "evaluations_to_target": reached[TARGET], "evaluations": BUDGET,
                    "step_seconds": second, "state_bytes": 16, "peak_bytes": np.nan,
                })  # fmt: skip
                hits += [
                    {"run_id": run_id, "trial": number, "target": t, "step": s, "evaluations": s}
                    for t, s in reached.items()
                ]
                if role == "tuning":
                    continue
                for step in [0, *steps_seen.tolist()]:
                    if dead and step >= 2:
                        break
                    value = START * 10 ** (-3 * step / rate)
                    point = {"x": 1.0 - value / START, "y": 0.5} if two else {}
                    curves.append({
                        **ids, "trial": number, "role": role, "seed": seed, "step": step, "evaluations": step,
                        "seconds": step * second, "loss": value, "objective": value, **point,
                    })  # fmt: skip
    sweeps = [{
        "command": "optbench run suite=made_up", "time": "2026-11-20T20:00:00Z",
        "provenance": {"versions": {"python": "3.11", "torch": "2.13.0"}, "commit": "abc1234", "threads": 1},
        "config": {"suite": "made_up"},
    }]  # fmt: skip
    return MadeUp(pd.DataFrame(runs), pd.DataFrame(trials), pd.DataFrame(curves), pd.DataFrame(hits), sweeps)


def _about(problem: str, optimizer: str, two: bool, targets: list[float]) -> dict[str, Any]:
    grid = np.linspace(-2, 2, 12)
    about: dict[str, Any] = {
        "label": problem, "name": problem.split("(")[0], "family": "learning" if problem == "mlp" else "landscape",
        "formula": "f(x) = Σᵢ xᵢ² & <more>", "summary": "A problem made up for a test.", "source": "none",
        "n": 2 if two else 10,
        "minimum": None if problem == "mlp" else 0.0, "minimiser": [1.0, 0.5] if two else None, "target": TARGET,
        "targets": targets, "budget": BUDGET, "judged_by": "objective", "metrics": [],
    }  # fmt: skip
    if two:
        about["contours"] = {
            "x": grid.tolist(),
            "y": grid.tolist(),
            "z": (grid[:, None] ** 2 + grid[None, :] ** 2).tolist(),
        }
    return {
        "problem": about,
        "optimizer": {
            "label": optimizer, "name": optimizer, "family": FAMILIES.get(optimizer, "third party"),
            "summary": "A rule.",
            "formula": "x ← x − lr g", "source": "none", "defaults": {"lr": 0.01},
            "search": {"lr": {"log_uniform": [0.01, 1.0]}}, "sequential": False,
        },
        "schedule": {"label": "constant", "name": "constant", "summary": "The same rate."},
    }  # fmt: skip


@pytest.fixture(scope="session")
def make_results() -> Callable[..., MadeUp]:
    return made_up


@pytest.fixture(scope="session")
def medians() -> dict[str, dict[str, float]]:
    return MEDIANS


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on the made-up results; lion diverges on cliff in no seed, sgd on rosenbrock in all of them."""
    from optbench.report.build import write_report

    out = tmp_path_factory.mktemp("report")
    write_report(made_up(diverged=[("rosenbrock", "sgd")]), out, source="made up")
    return out


LAUNCHER = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
for place, end in zip((3, 4), ends):
    os.dup2(end, place)
os.execvp(sys.argv[3], sys.argv[3:])
"""
"""Chromium reads commands from descriptor 3 and answers on descriptor 4."""


class Browser:
    """A headless Chromium, spoken to over a pipe in the DevTools protocol."""

    FLAGS = (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
        "--force-prefers-reduced-motion", "--remote-debugging-pipe",
    )  # fmt: skip

    def __init__(self, program: str, profile: Path):
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, str(to_read), str(to_write), program, *self.FLAGS,
             f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_read, to_write),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_read)
        os.close(to_write)
        self._buffer, self._number = b"", 0
        self.events: list[dict[str, Any]] = []
        try:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Network", "Log"):
                self.call(f"{domain}.enable")
        except BaseException:
            self.close()
            raise

    _session: str | None = None

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command and wait for its answer; events that come before are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self.events.append(answer)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def _next(self) -> dict[str, Any]:
        until = time.monotonic() + 60
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, until - time.monotonic()))
            assert ready, "Chromium did not answer within a minute"
            part = os.read(self._read, 1 << 20)
            assert part, "Chromium ended"
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def open(self, path: Path, query: str = "", width: int = 1400, height: int = 1500) -> None:
        """Open a file and wait until it has loaded; what happened before is forgotten."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri() + query)
        until = time.monotonic() + 60
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            assert time.monotonic() < until, "the page did not load within a minute"
            self.events.append(self._next())

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def move(self, x: float, y: float) -> None:
        """Move the mouse to a point of the window."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, selector: str) -> None:
        """Press and release the mouse in the middle of an element."""
        # scrolling brings sections onto the screen whose real height shifts the element: wait until it stands still
        box = self.run(
            f"(async () => {{ const e = document.querySelector({selector!r}); let before = NaN, still = 0, b;"
            " for (let frame = 0; frame < 60 && still < 3; frame += 1) { e.scrollIntoView({block: 'center'});"
            " await new Promise(requestAnimationFrame); b = e.getBoundingClientRect();"
            " still = b.y === before ? still + 1 : 0; before = b.y; }"
            " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def errors(self) -> list[Any]:
        """Exceptions, console errors and log entries of the page so far."""
        wrong = []
        for event in self.events:
            method, params = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown" or (
                method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert")
            ):
                wrong.append(params)
            if method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                wrong.append(params["entry"])
        return wrong

    def requests(self) -> list[str]:
        """Addresses the page has asked for, itself and data: addresses apart."""
        sent = [e["params"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [
            p["request"]["url"]
            for p in sent
            if p.get("type") != "Document" and not p["request"]["url"].startswith("data:")
        ]

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def pdf(self) -> bytes:
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"])

    def close(self) -> None:
        os.close(self._write)
        os.close(self._read)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        if os.environ.get("CI"):
            pytest.fail(
                "CI must test the page in a real browser; there is no chromium, chromium-browser or google-chrome"
            )
        pytest.skip("no chromium, chromium-browser or google-chrome on this machine")
    browser = Browser(program, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()
