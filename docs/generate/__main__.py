"""`python -m docs.generate`: writes docs/optimizers and docs/schedules; `--check` only says what is not as it would be."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch

from . import optimizer_pages, schedule_pages, smoke

DOCS = Path(__file__).resolve().parent.parent


def main(words: list[str] | None = None) -> int:
    """Write or check the pages; the exit status is 1 where a check finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; name the pages that differ")
    parser.add_argument("--smoke", action="store_true", help="run the suite smoke_optimizers first (minutes)")
    asked = parser.parse_args(words)
    torch.set_num_threads(1)
    if asked.smoke:
        smoke.write(smoke.run(), DOCS / "optimizers" / optimizer_pages.SMOKE)
    stale = []
    schedules, optimizers = DOCS / "schedules", DOCS / "optimizers"
    for folder, make in ((schedules, schedule_pages.pages), (optimizers, partial(optimizer_pages.pages, optimizers))):
        files = make()
        if asked.check:
            stale += differences(folder, files)
        else:
            write(folder, files)
            print(f"{len(files)} files in {folder}")
    for line in stale:
        print(line, file=sys.stderr)
    return 1 if stale else 0


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files, and remove pages and figures that belong to none."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for file in present(folder):
        if file not in files:
            (folder / file).unlink()


def differences(folder: Path, files: Mapping[str, str]) -> list[str]:
    """What is missing, left over or different, one line a file."""
    there = present(folder)
    found = [f"{folder.name}/{name}: no longer made" for name in there if name not in files]
    for name, text in files.items():
        if name not in there:
            found.append(f"{folder.name}/{name}: missing")
        elif (folder / name).read_text(encoding="utf-8") != text:
            found.append(f"{folder.name}/{name}: differs")
    return sorted(found)


def present(folder: Path) -> list[str]:
    """Pages and figures in a folder, by their names in it."""
    return sorted(f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.suffix in (".md", ".svg"))


if __name__ == "__main__":
    sys.exit(main())
