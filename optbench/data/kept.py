"""Arrays kept on disk with a checksum beside them, so that damage is seen."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError


def folder() -> Path:
    """Where downloaded data sets are kept: $OPTBENCH_DATA, else ~/.cache/optbench; made where it is missing.

    Raises:
        UsageError: it cannot be made.
    """
    path = Path(os.environ.get("OPTBENCH_DATA") or "~/.cache/optbench").expanduser()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the folder for data sets {path} cannot be made ({error.strerror}); set OPTBENCH_DATA"
        ) from error
    return path


@dataclass(frozen=True)
class Kept:
    """A .npz file and, beside it, its SHA-256 in the form of `sha256sum`; the file counts when both are there."""

    path: Path

    @property
    def checksum(self) -> Path:
        return self.path.with_suffix(self.path.suffix + ".sha256")

    @property
    def there(self) -> bool:
        return self.path.is_file() and self.checksum.is_file()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no other process is writing this file.

        Raises:
            UsageError: the folder cannot be written to.
        """
        try:
            import fcntl
        except ImportError:  # not on Windows; there two processes may download at once, and the same file results
            yield
            return
        try:
            file = self.path.with_suffix(".lock").open("w")
        except OSError as error:
            raise self._unwritable(error) from error
        with file as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def write(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Write the arrays, the checksum last; never a half-written file under the final name.

        Raises:
            UsageError: the disk refuses.
        """
        made = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
        try:
            with made.open("wb") as file:
                np.savez(file, **arrays)  # pyright: ignore[reportArgumentType] # the names are ours
            digest = _digest(made)
            self.checksum.unlink(missing_ok=True)
            made.replace(self.path)
            made.write_text(f"{digest}  {self.path.name}\n")
            made.replace(self.checksum)
        except OSError as error:
            raise self._unwritable(error) from error
        finally:
            made.unlink(missing_ok=True)

    def read(self) -> dict[str, NDArray[Any]]:
        """The arrays.

        Raises:
            UsageError: the file is not what was written.
        """
        try:
            if _digest(self.path) != self.checksum.read_text().split()[0]:
                raise UsageError(
                    f"{self.path} is damaged, it does not match its checksum; delete it, and it is downloaded again"
                )
            with np.load(self.path) as arrays:
                return dict(arrays)
        except (OSError, IndexError) as error:
            raise UsageError(f"{self.path} cannot be read ({error}); delete it, and it is downloaded again") from error

    def _unwritable(self, error: OSError) -> UsageError:
        return UsageError(
            f"{self.path} cannot be written ({error.strerror or error}); set OPTBENCH_DATA to another folder"
        )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
