"""The command line. Nothing heavy is imported before a verb needs it."""

from __future__ import annotations

import argparse
import difflib
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from . import __version__
from .compare import add_arguments

EPILOG = """examples:
  optbench run suite=quick                              the quick suite, about two minutes
  optbench run problem=rosenbrock,beale optimizer=adam,./mine.py:Mine tuning.method=grid
  optbench report results/quick                         its comparison report
  optbench compare results/base results/new             what got better or worse; exit 1 on a regression
  optbench show adam                                    formula, settings, search space, state, source
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        print(f"optbench: {message}; see {self.prog} --help", file=sys.stderr)
        raise SystemExit(2)


def parser() -> argparse.ArgumentParser:
    """The verbs and their arguments."""
    top = _Parser(
        prog="optbench",
        description="Which optimizer should I use, and did my change to one make it better?",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"optbench {__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", title="verbs")

    run = verbs.add_parser(
        "run", help="one run or a sweep", description="One run or a sweep; goes on where it was stopped."
    )
    run.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE", help="problem=rosenbrock,beale optimizer=adam steps=2000 …"
    )
    run.add_argument("--config-dir", metavar="DIR", help="a folder with options of your own: DIR/optimizer/mine.yaml …")
    run.add_argument("--cfg", action="store_true", help="print the resolved configuration of each run and stop")
    run.add_argument("--dry-run", action="store_true", help="say what would be run and stop")

    report = verbs.add_parser("report", help="the comparison report", description="The comparison report as one page.")
    report.add_argument("results", nargs="+", metavar="RESULTS", help="results folders, such as results/quick")
    report.add_argument(
        "-o", "--output", metavar="DIR", help="default: reports/ and the name of the first results folder"
    )

    help_line = "what got better or worse, with uncertainty; exit 1 on a regression"
    add_arguments(verbs.add_parser("compare", help="what got better or worse", description=help_line))

    listing = verbs.add_parser("list", help="what exists", description="What exists, with a line on each.")
    listing.add_argument(
        "kind",
        metavar="KIND",
        help="problems, optimizers, schedules, modifiers, data, instruments, executors or suites",
    )

    show = verbs.add_parser("show", help="one thing: formula, settings, search space, state, source")
    show.add_argument("name", metavar="NAME", help="a name of `optbench list`, a dotted path or PATH.py:NAME")

    check = verbs.add_parser("check", help="contract tests for a problem, optimizer, schedule or modifier of your own")
    check.add_argument("path", metavar="PATH.py:NAME", help="the class to test, by file and name or by dotted path")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 fine; 1 failed runs, a regression, a broken contract; 2 usage."""
    words = list(sys.argv[1:] if argv is None else argv)
    top = parser()
    verbs = tuple(VERBS)
    if words and not words[0].startswith("-") and words[0] not in verbs:
        close = difflib.get_close_matches(words[0], verbs, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return _say(f"no verb is called {words[0]!r}{hint} (there are {', '.join(verbs)})", 2)
    if not words:
        top.print_help()
        return 2
    try:
        known, unknown = top.parse_known_args(words)
    except SystemExit as stop:  # --help, --version and what argparse refuses
        return int(stop.code or 0)
    if known.verb == "run":
        known.overrides += [word for word in unknown if not word.startswith("-")]
        unknown = [word for word in unknown if word.startswith("-")]
    if unknown:
        return _say(f"optbench {known.verb} knows no {' '.join(unknown)}; see optbench {known.verb} --help", 2)
    from .errors import StoreWarning, UsageError

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("default", category=StoreWarning)
            warnings.showwarning = _warn
            return VERBS[known.verb](known)
    except UsageError as error:
        return _say(str(error), 2)
    except KeyboardInterrupt:
        return _say("stopped; finished runs are stored, and the same command goes on from them", 130)
    except BrokenPipeError:
        sys.stderr.close()
        return 1


def _say(line: str, status: int) -> int:
    print(f"optbench: {' '.join(line.split())}", file=sys.stderr)
    return status


def _warn(message: Warning | str, category: type[Warning], *unused: Any) -> None:
    """A warning as one line, without the place in the code that says nothing to the person at the terminal."""
    print(f"optbench: {' '.join(str(message).split())}", file=sys.stderr)


def _run(args: argparse.Namespace) -> int:
    from .verbs.run import run

    return run(args.overrides, args.config_dir, show_config=args.cfg, dry=args.dry_run)


def _report(args: argparse.Namespace) -> int:
    from .verbs.report import report

    return report(args.results, args.output)


def _compare(args: argparse.Namespace) -> int:
    from .compare import run

    return run(args)


def _list(args: argparse.Namespace) -> int:
    from .verbs.listing import listing

    return listing(args.kind)


def _show(args: argparse.Namespace) -> int:
    from .verbs.show import show

    return show(args.name)


def _check(args: argparse.Namespace) -> int:
    from .verbs.check import check

    return check(args.path)


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": _run,
    "report": _report,
    "compare": _compare,
    "list": _list,
    "show": _show,
    "check": _check,
}
