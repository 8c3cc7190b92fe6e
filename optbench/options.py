"""The options of each group of the configuration: their YAML in conf/ and in a person's own folder, composed by Hydra."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from .errors import UsageError, one_line
from .registry import conf, defaults, is_path, load_object, meant

GROUPS = ("problem", "optimizer", "schedule", "modifier", "executor")


class Options:
    """The options of each group: those of conf/ and of the person's own folder."""

    def __init__(self, config_dir: str | None):
        self.folders = [conf()]
        if config_dir is not None:
            own = Path(config_dir).expanduser().resolve()
            if not own.is_dir():
                raise UsageError(f"--config-dir: there is no folder {config_dir}")
            self.folders.append(own)

    def __enter__(self) -> Options:
        GlobalHydra.instance().clear()
        self._hydra = initialize_config_dir(str(self.folders[0]), version_base="1.3")
        self._hydra.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._hydra.__exit__(*error)

    def names(self, group: str) -> list[str]:
        """Its YAML files; those in a folder of the group by FOLDER/NAME."""
        found = ((folder / group, p) for folder in self.folders for p in (folder / group).rglob("*.yaml"))
        return sorted({p.relative_to(top).with_suffix("").as_posix() for top, p in found})

    def file(self, group: str, name: str) -> Path:
        """The YAML of an option, the person's own first."""
        for folder in reversed(self.folders):
            if (folder / group / f"{name}.yaml").is_file():
                return folder / group / f"{name}.yaml"
        known = [n for n in self.names(group) if "/" not in n]
        shown = f"there are {', '.join(known)}" if len(known) <= 20 else f"`optbench list {group}s` shows all"
        raise UsageError(f"no {group} is called {name!r}{meant(group, name, self.names(group))} ({shown})")

    def load(self, choices: Mapping[str, list[Any]]) -> tuple[dict[str, list[Any]], dict[str, Any]]:
        """Nodes of every choice, and the keys outside the groups; composed side by side to save compositions."""
        nodes: dict[str, list[Any]] = {group: [] for group in GROUPS}
        rest: dict[str, Any] = {}
        for picked in itertools.zip_longest(*(choices[group] for group in GROUPS)):
            overrides = [
                f"{group}={_option(group, pick)}"
                for group, pick in zip(GROUPS, picked, strict=True)
                if pick is not None
            ]
            config = self._compose(overrides)
            for group, pick in zip(GROUPS, picked, strict=True):
                if pick is not None:
                    nodes[group].append(_named(pick, config.get(group)))
            rest = {key: value for key, value in config.items() if key not in GROUPS}
        return nodes, rest

    def _compose(self, overrides: list[str]) -> dict[str, Any]:
        search = [f"hydra.searchpath=[{','.join('file://' + str(f) for f in self.folders[1:])}]"]
        try:
            config = compose("config", overrides=overrides + (search if len(self.folders) > 1 else []))
            plain = OmegaConf.to_container(config, resolve=True)
        except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
            raise UsageError(f"{' '.join(overrides)}: {one_line(error)}") from error
        return {str(key): value for key, value in plain.items()} if isinstance(plain, dict) else {}


STAND_IN = {"problem": "rosenbrock", "optimizer": "from_torch"}
"""What Hydra composes where a class is given by its path; the node is put right afterwards."""


def _option(group: str, pick: Any) -> str:
    if isinstance(pick, list):
        return f"[{','.join(pick)}]"
    return STAND_IN[group] if is_path(pick) else pick


def is_torch(path: str) -> bool:
    """Does this path name a torch.optim.Optimizer class?"""
    found = load_object(path)
    return isinstance(found, type) and issubclass(found, torch.optim.Optimizer)


def _named(pick: Any, node: Any) -> Any:
    """The node of a choice as plain values, with `name` in it."""
    if isinstance(pick, list):
        return [{"name": name, **((node or {}).get(name) or {})} for name in pick]
    if not is_path(pick):
        if not isinstance(node, Mapping) or not isinstance(node.get("name"), str):
            raise UsageError(f"{pick}.yaml must hold settings, `name: …` first among them")
        return dict(node)
    if is_torch(pick):
        return {**dict(node), "class": pick}
    found = load_object(pick)
    search = getattr(found, "search", None)
    if not isinstance(search, Mapping):  # the space of any other class by path, so that it is tuned like its rivals
        search = {key: spec for key, spec in node.get("search", {}).items() if key in defaults(found)}
    return {"name": pick, "search": dict(search)}
