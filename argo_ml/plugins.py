"""Parts that other installed packages bring, found through their entry points.

A package names them in its ``pyproject.toml``, for instance a strategy:

    [project.entry-points."argo_ml.policies"]
    length_gate = "my_package.gate:LENGTH_GATE"
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar, cast

from argo_ml.errors import ConfigError

Part = TypeVar("Part")
logger = logging.getLogger(__name__)


class PartTable(Mapping[str, Part]):
    """The parts of one kind by name: those of argo_ml, and after them those of plugins.

    Its names are known without any plugin being imported. Looking up the name of a plugin imports
    it, and raises `ConfigError` for one that cannot be used.
    """

    def __init__(
        self, group: str, kind: str, own: Mapping[str, Part], fits: Callable[[object], bool]
    ) -> None:
        """``group`` is that of the entry points, ``kind`` the word for a part in messages.

        ``fits`` says of an imported object whether it is such a part.
        """
        self._group = group
        self._kind = kind
        self._own = own
        self._fits = fits
        self._added: dict[str, Part] = {}
        self._imported: dict[str, Part] = {}
        self._refused: set[str] = set()

    def add(self, name: str, part: Part) -> None:
        """Make a part known for this process alone, in the place of one that was added before.

        Raises `ConfigError` for a name that argo_ml or an installed package has.
        """
        if name in self._own or name in self._brought:
            owner = "argo_ml" if name in self._own else package_of(self._brought[name][0])
            raise ConfigError(f"{self._kind} {name!r} is one of {owner}; choose another name")
        self._added[name] = part

    def __getitem__(self, name: str) -> Part:
        if name in self._added:
            return self._added[name]
        brought = self._brought.get(name, ())
        if not brought:
            return self._own[name]
        if name not in self._imported:
            self._imported[name] = self._import(name, brought)
        return self._imported[name]

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._brought or name in self._added

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._own, *self._brought, *self._added)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def usable(self) -> dict[str, Part]:
        """All parts that can be used; a warning names each plugin that cannot, once."""
        parts: dict[str, Part] = {}
        for name in self:
            try:
                parts[name] = self[name]
            except ConfigError as error:
                if name not in self._refused:
                    logger.warning("%s", error)
                self._refused.add(name)
                if name in self._own:
                    parts[name] = self._own[name]
        return parts

    def is_plugin(self, name: str) -> bool:
        return name in self._brought and name not in self._own

    @property
    def _brought(self) -> Mapping[str, tuple[EntryPoint, ...]]:
        return installed(self._group)

    def _import(self, name: str, brought: tuple[EntryPoint, ...]) -> Part:
        sources = [*(["argo_ml"] if name in self._own else []), *map(package_of, brought)]
        if len(sources) > 1:
            raise ConfigError(
                f"{self._kind} {name!r} is brought by {' and by '.join(sources)}; uninstall "
                f"{sources[-1]}, or rename its entry point in {self._group}"
            )
        try:
            part = brought[0].load()
        # Whatever a plugin raises when it is imported, its user has to know which package it is.
        except Exception as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise ConfigError(
                f"{self._kind} {name!r} of the installed package {sources[0]} cannot be imported "
                f"({reason})"
            ) from error
        if not self._fits(part):
            raise ConfigError(
                f"{self._kind} {name!r} of the installed package {sources[0]} is none: "
                f"{brought[0].value} is of type {type(part).__name__}"
            )
        return cast(Part, part)


@cache
def installed(group: str) -> Mapping[str, tuple[EntryPoint, ...]]:
    """The entry points of ``group`` by name, in alphabetical order."""
    by_name: dict[str, tuple[EntryPoint, ...]] = {}
    entries = entry_points(group=group)
    for entry in sorted(entries, key=lambda entry: (entry.name, package_of(entry))):
        by_name[entry.name] = (*by_name.get(entry.name, ()), entry)
    return by_name


def package_of(entry: EntryPoint) -> str:
    """The distribution that an entry point belongs to, else the module that it names."""
    return entry.dist.name if entry.dist is not None else entry.module
