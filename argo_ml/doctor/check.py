"""What looking at one part of the machine came to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from argo_ml.config import DoctorSpec
from argo_ml.errors import ArgoError, system_reason


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


def attempted(name: str, look: Callable[[DoctorSpec], Check], spec: DoctorSpec) -> Check:
    """What looking came to; a part that cannot be looked at is an error and ends nothing."""
    try:
        return look(spec)
    except ArgoError as error:
        return refused(name, error)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        detail = f"{place}{system_reason(error)}"
        return Check(name, Status.ERROR, detail, "make it readable, or name another place")


def refused(name: str, error: ArgoError) -> Check:
    """An error whose one line says what happened and, after its last semicolon, what to do."""
    detail, _, fix = str(error).rpartition("; ")
    return Check(name, Status.ERROR, detail or str(error), fix if detail else "")
