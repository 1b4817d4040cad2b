"""The types of the Python interface, generated from the specs: the options that editors complete
and type checkers know.

``python -m argo_ml.cli.parameter_tables`` writes argo_ml/__init__.pyi of the current folder.
"""

from __future__ import annotations

import inspect
import json
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from argo_ml.cli.options import value_type
from argo_ml.cli.sections import ordered_names
from argo_ml.interface import jobs

TARGET = Path("argo_ml/__init__.pyi")
WIDTH = 100

HEAD = """\
# Written by `make docs` from the specs in argo_ml/config and from argo_ml/interface/jobs.py.

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from argo_ml.config import (
    AdviseSpec,
    CalibrateSpec,
    EstimateSpec,
    PublishSpec,
    RecordSpec,
    ReplaySpec,
    StudySpec,
    SweepSpec,
)
from argo_ml.corpus.own_retriever import Search
from argo_ml.errors import ArgoError as ArgoError
from argo_ml.interface.bars import Progress
from argo_ml.interface.jobs import load_results as load_results
from argo_ml.interface.returned import (
    AdviceResult,
    CalibrationResult,
    EstimateResult,
    RecordResult,
    StudyResult,
    SweepResult,
)
from argo_ml.policies.base import Policy
from argo_ml.recording import Pipeline as Pipeline
from argo_ml.serving.loading import load_policy as load_policy
from argo_ml.serving.registering import Registered

__version__: str
"""

_OBJECTS = {"strategies": "str | Iterable[str | Policy]", "retriever": "str | Search"}
"""Options that may be objects of the caller's program."""
_NAMES = {
    bool: "bool",
    int: "int",
    float: "float",
    str: "str | PathLike[str]",
    Path: "str | PathLike[str]",
}


def stub_text() -> str:
    return HEAD + "".join(map(_definition, _functions()))


def _functions() -> Iterator[Callable[..., Any]]:
    """Those that take the options of a spec."""
    for _, function in inspect.getmembers(jobs, inspect.isfunction):
        parameters = inspect.signature(function).parameters.values()
        if any(own.kind is own.VAR_KEYWORD for own in parameters):
            yield function


def _definition(function: Callable[..., Any]) -> str:
    signature = inspect.signature(function)
    parameters = signature.parameters
    [spec_type] = set(get_args(get_type_hints(function)["spec"])) - {NoneType}
    before, named = (
        [_parameter(own) for own in parameters.values() if own.kind is kind]
        for kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    )
    names = [name for name in ordered_names(spec_type) if name not in parameters]
    options = [_option(name, spec_type.model_fields[name]) for name in names]
    lines = "".join(f"    {line},\n" for line in (*before, "*", *named, *options))
    documentation = textwrap.indent(f'"""{inspect.getdoc(function)}\n"""\n', "    ")
    returned = signature.return_annotation
    return f"\ndef {function.__name__}(\n{lines}) -> {returned}:\n{documentation}"


def _parameter(parameter: inspect.Parameter) -> str:
    has_default = parameter.default is not parameter.empty
    default = f" = {parameter.default!r}" if has_default else ""
    return f"{parameter.name}: {parameter.annotation}{default}"


def _option(name: str, field: FieldInfo) -> str:
    typed = f"{name}: {_OBJECTS.get(name) or _annotation(field)}"
    line = f"{typed} = {_default(field.default)}"
    # As a formatter leaves it, with the comma and the indentation.
    return line if len(line) <= WIDTH - len("    ,") else f"{typed} = ..."


def _annotation(field: FieldInfo) -> str:
    """What the option takes: what the field is, and what it is read from."""
    kind = value_type(field)
    if get_origin(kind) is Literal:
        typed = f"Literal[{', '.join(map(json.dumps, get_args(kind)))}]"
    elif get_origin(kind) is tuple:
        typed = _listed(get_args(kind)[0])
    elif kind is float and any(isinstance(own, BeforeValidator) for own in field.metadata):
        typed = "float | str"
    else:
        typed = _NAMES[kind]
    return f"{typed} | None" if NoneType in get_args(field.annotation) else typed


def _listed(item: Any) -> str:
    kind = get_args(item)[0] if get_origin(item) is Annotated else item
    name = kind.__name__
    return " | ".join(dict.fromkeys(("str", name, f"Iterable[{name}]")))


def _default(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_default, value))}{',' if len(value) == 1 else ''})"
    return json.dumps(str(value)) if isinstance(value, (str, Path)) else repr(value)
