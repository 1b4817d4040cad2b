"""What looking at one part of the machine came to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from argo_ml.errors import ArgoError


class Status(str, Enum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check.

    ``fix`` is what to do, empty where nothing is to be done or ``detail`` says it.
    """

    name: str
    status: Status
    detail: str
    fix: str = ""


def ok(name: str, detail: str) -> Check:
    return Check(name, Status.OK, detail)


def warning(name: str, detail: str, fix: str) -> Check:
    return Check(name, Status.WARNING, detail, fix)


def refused(name: str, error: ArgoError) -> Check:
    """An error whose one line says what happened and, after its last semicolon, what to do."""
    detail, _, fix = str(error).rpartition("; ")
    return Check(name, Status.ERROR, detail or str(error), fix if detail else "")
