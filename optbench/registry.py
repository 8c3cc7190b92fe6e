"""Names to classes: the literal tables, dotted paths, PATH.py:NAME, and building a thing from its settings."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

from .errors import UsageError, near

PLACED = ("dtype", "device")
"""Settings of problems that a run gives them."""
KINDS = ("problem", "optimizer", "schedule", "modifier")
_PACKAGES = {
    "problem": "optbench.problems",
    "optimizer": "optbench.optimizers",
    "schedule": "optbench.schedules",
    "modifier": "optbench.modifiers",
}


def table(kind: str) -> Mapping[str, type]:
    """The literal table of a kind: name to class."""
    package = importlib.import_module(_PACKAGES[kind])
    return getattr(package, kind.upper() + "S")


def conf() -> Path:
    """The folder conf/ of this installation.

    Raises:
        UsageError: it is missing.
    """
    spec = importlib.util.find_spec("optbench.conf")
    if spec is None or not spec.submodule_search_locations:
        raise UsageError("the folder conf/ is missing from this installation of optbench; install it again")
    return Path(next(iter(spec.submodule_search_locations)))


def is_path(name: str) -> bool:
    """True for `./mine.py:Mine` and `pkg.Class`, False for a name of the tables and of YAML files such as torch/nadam."""
    return ":" in name or "." in name


def short(name: str) -> str:
    """The class in a path, `Mine` of `./mine.py:Mine` and `pkg.Mine`; another name as it is."""
    return name.rpartition(":" if ":" in name else ".")[2] if is_path(name) else name


def resolve(kind: str, name: str) -> type:
    """The class behind a table name, a dotted path or PATH.py:NAME."""
    if is_path(name):
        return load_object(name)
    classes = table(kind)
    if name not in classes:
        raise UsageError(
            f"no {kind} is called {name!r}{meant(kind, name, classes)} (`optbench list {kind}s` shows all)"
        )
    return classes[name]


OTHER_NAMES = {
    "agc": ("adaptive_clipping",),
    "clr": ("cyclic",),
    "cosine_annealing": ("cosine",),
    "cosineannealinglr": ("cosine",),
    "gd": ("sgd",),
    "heavy_ball": ("momentum",),
    "levenberg_marquardt": ("gauss_newton",),
    "nag": ("nesterov",),
    "noam": ("inverse_sqrt",),
    "onecycle": ("one_cycle",),
    "plateau": ("reduce_on_plateau",),
    "sgdr": ("cosine_restarts",),
    "step": ("halving", "multistep"),
    "steplr": ("halving", "multistep"),
    "triangular": ("cyclic",),
}
"""What papers and other libraries call things, in small letters, and their names here."""


def meant(kind: str, word: str, names: Iterable[str]) -> str:
    """What is said to someone who took a word for one of these names: the same thing elsewhere, or a name near to it."""
    if "*" in word:
        return f"; for all that are called so write {kind}='glob({word})'"
    wanted = OTHER_NAMES.get(word.lower(), (word.lower(),))
    for other in KINDS if kind in KINDS else ():
        found = [name for name in wanted if name in table(other)]
        if found and other == kind:
            return f"; did you mean {' or '.join(map(repr, found))}?"
        if found:
            choice = f"[{found[0]}]" if other == "modifier" else found[0]
            return f"; {found[0]} is {'an' if other == 'optimizer' else 'a'} {other}: {other}={choice}"
    return near(word, names)


def load_object(path: str) -> Any:
    """What a dotted path (`pkg.module.Class`) or PATH.py:NAME names; the current folder is importable."""
    if ":" in path:
        file, _, name = path.rpartition(":")
        module = _load_file(file)
        if not hasattr(module, name):
            names = [n for n in vars(module) if not n.startswith("_")]
            raise UsageError(f"{file} defines no {name!r}{near(name, names)}")
        return getattr(module, name)
    if "/" in path or path.endswith(".py"):
        raise UsageError(f"{path}: say which class of the file is meant, as in {path}:Mine")
    _make_importable(Path.cwd())
    parts = path.split(".")
    if "" in parts:
        raise UsageError(f"{path!r} is no dotted path such as pkg.Class; a class in a file reads ./mine.py:Mine")
    for cut in range(len(parts) - 1, 0, -1):
        head, tail = ".".join(parts[:cut]), parts[cut:]
        try:
            found: Any = importlib.import_module(head)
        except ModuleNotFoundError as error:
            if error.name is not None and (head == error.name or head.startswith(error.name + ".")):
                continue
            raise UsageError(f"{path}: importing {head} needs the package {error.name!r}; install it first") from error
        except Exception as error:
            raise UsageError(f"{path}: importing {head} failed: {type(error).__name__}: {error}") from error
        for attribute in tail:
            if not hasattr(found, attribute):
                raise UsageError(f"{path}: {head} has no {attribute!r}{near(attribute, dir(found))}")
            found = getattr(found, attribute)
        return found
    ours = (conf() / "optimizer" / parts[0]).is_dir()  # pip takes the names of these packages as they are
    fix = f"pip install {parts[0].replace('_', '-')}" if ours else "is it installed in this environment?"
    raise UsageError(f"{path}: there is no package {parts[0]!r} here; {fix}")


def _make_importable(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _load_file(file: str) -> Any:
    path = Path(file).expanduser().resolve()
    if not path.is_file():
        raise UsageError(f"there is no file {file}")
    _make_importable(path.parent)
    try:
        identity = str(path).encode() + path.read_bytes()  # so that a file edited in a running session is read anew
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from error
    name = f"optbench_file_{path.stem}_{hashlib.blake2b(identity, digest_size=6).hexdigest()}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise UsageError(f"{file} cannot be imported: {type(error).__name__}: {error}") from error
    return module


@functools.cache
def fingerprint(cls: Any) -> str:
    """A hash of the source that defines a class or function, so that an edited rule is run anew and never taken for the old one.

    Comments and layout do not enter. Of the classes it is derived from, all count but the contracts and Python's own;
    so do the modules beside it, in its own folder, that it uses.
    """
    modules = dict.fromkeys(c.__module__ for c in getattr(cls, "__mro__", (cls,)))
    left = [m for m in modules if m not in ("optbench.interfaces", "abc", "typing", "builtins")]
    used = dict.fromkeys(left)
    while left:
        new = [m for m in _beside(left.pop()) if m not in used]
        used |= dict.fromkeys(new)
        left += new
    sources = [_source(m) for m in used]
    name = getattr(cls, "__qualname__", type(cls).__qualname__)
    return hashlib.blake2b("\n".join([name, *sources]).encode(), digest_size=6).hexdigest()


@functools.cache
def _beside(module: str) -> list[str]:
    """The modules in a module's folder from which it has something; a package's __init__ only lists them."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or Path(file).name == "__init__.py":
        return []
    found = set()
    for value in vars(sys.modules[module]).values():
        name = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None)
        other = getattr(sys.modules.get(name), "__file__", None) if isinstance(name, str) else None
        if other is not None and Path(other).parent == Path(file).parent and Path(other).name != "__init__.py":
            found.add(name)
    return sorted(found - {module})


@functools.cache
def _source(module: str) -> str:
    try:
        return ast.unparse(ast.parse(inspect.getsource(sys.modules[module])))
    except (OSError, TypeError, KeyError):
        return module


def defaults(cls: type) -> dict[str, Any]:
    """The settings of a class with their default values; required ones are left out."""
    if not is_dataclass(cls):
        return {}
    given = {f.name: f.default for f in fields(cls) if f.init and f.default is not MISSING}
    return given | {f.name: f.default_factory() for f in fields(cls) if f.init and f.default_factory is not MISSING}


def build(kind: str, name: str, settings: Mapping[str, Any] | None = None) -> Any:
    """One problem, optimizer, schedule or modifier from its name and settings.

    Raises:
        UsageError: an unknown name or setting, a wrong type, or a value outside its range; one line that names the fix.
    """
    return make(resolve(kind, name), name, settings or {})


def make(cls: type, name: str, settings: Mapping[str, Any]) -> Any:
    """An instance of a settings class; lists become tuples, whole floats become ints where the default is one."""
    known = [f.name for f in fields(cls) if f.init] if is_dataclass(cls) else list(inspect.signature(cls).parameters)
    for key in settings:
        if key not in known:
            own = [known for known in known if known not in PLACED]
            raise UsageError(f"{name} has no setting {key!r}{near(key, own)} (it has {', '.join(own) or 'none'})")
    kinds = defaults(cls)
    values = {key: _natural(value, kinds.get(key)) for key, value in settings.items()}
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error


def _natural(value: Any, default: Any) -> Any:
    """YAML gives lists for tuples and ints for floats, strings for 1e-3; the class says which it means."""
    if isinstance(value, list):
        value = tuple(value)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(default, float) and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    if isinstance(default, int) and not isinstance(default, bool) and isinstance(value, float) and value.is_integer():
        return int(value)
    return value
