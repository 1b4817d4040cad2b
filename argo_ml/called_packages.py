"""Packages that are called like the function of the same name: `argo_ml.sweep` and its like.

Importing ``argo_ml.sweep.running`` makes ``argo_ml.sweep`` that package, whatever else
had the name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

HOME = "argo_ml.interface.jobs"
"""The module of the functions, by name: they import the packages, and not the other way round."""


class CalledPackage(ModuleType):
    """A package that, when it is called, calls the public function of its name, and has its
    documentation."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._function(*arguments, **options)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._function)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return inspect.getdoc(self._function)

    @property
    def _function(self) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(
            import_module(HOME), self.__name__.rpartition(".")[2]
        )
        return function
