"""What runs have stored, read back: whatever is wrong with it is one line that names file and run.

Disks and people damage files; what is read here may be anything.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from argo_ml.errors import DataError, one_line, system_reason
from argo_ml.parsing import MalformedError, parse_json, parse_record, parse_yaml

RecordType = TypeVar("RecordType", bound=BaseModel)

_CONTRADICTIONS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError)
"""With ValueError, what computing with values of the right types that do not fit each other ends
in: a strategy that does not exist, a table of another length."""

_SHOWN = 200
AGAIN = "run its command again, without resume: calls that were made are in the call cache"


@contextlib.contextmanager
def naming(name: str, run_id: str) -> Iterator[None]:
    """Raise `DataError` with the file's name and the run's for what is wrong with its text."""
    try:
        yield
    except MalformedError as error:
        raise DataError(f"{_place(name, run_id)}: damaged: {error}{_again(run_id)}") from None
    except OSError as error:
        reason = system_reason(error)
        raise DataError(f"{_place(name, run_id)}: cannot be read ({reason})") from None


@contextlib.contextmanager
def computing_with(name: str, run_id: str) -> Iterator[None]:
    """Raise `DataError` where stored values of the right types do not go together.

    The cause stays with the error, and ``--debug`` shows it.
    """
    try:
        yield
    except (*_CONTRADICTIONS, ValueError) as error:
        reason = f"{type(error).__name__}: {one_line(error)}"[:_SHOWN]
        raise DataError(
            f"{_place(name, run_id)}: damaged: its values do not go together ({reason})"
            f"{_again(run_id)}"
        ) from error


def stored_record(path: Path, record_type: type[RecordType], run_id: str) -> RecordType:
    """Raises `DataError`."""
    with naming(path.name, run_id):
        return parse_record(record_type, path.read_bytes())


def stored_parameters(path: Path, run_id: str) -> dict[str, Any]:
    """The parameters that a run was made with. Raises `DataError`."""
    with naming(path.name, run_id):
        values = parse_yaml(path.read_bytes())
        if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
            raise MalformedError("holds no parameters")
        return values


def stored_object(path: Path, run_id: str) -> Mapping[str, Any]:
    """The object of a JSON file. Raises `DataError`."""
    with naming(path.name, run_id):
        return _object(path.read_bytes())


def stored_lines(path: Path, run_id: str) -> Iterator[Mapping[str, Any]]:
    """The object of every line. Raises `DataError` that names the first bad one."""
    with naming(path.name, run_id), path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                value = _object(line)
            except MalformedError as error:
                raise MalformedError(f"line {number}: {error}") from None
            yield value


def _object(content: bytes) -> Mapping[str, Any]:
    value = parse_json(content)
    if not isinstance(value, dict):
        raise MalformedError("no JSON object")
    return value


def _place(name: str, run_id: str) -> str:
    return f"{name} of run {run_id}" if run_id else name


def _again(run_id: str) -> str:
    """What works however a file of a run was damaged, and also where it was half written by a run
    that died."""
    return f"; {AGAIN}" if run_id else ""
