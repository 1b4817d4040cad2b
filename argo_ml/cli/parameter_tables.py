"""The documentation of every parameter, generated from the specs.

``python -m argo_ml.cli.parameter_tables`` writes docs/parameters.md of the current folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo

from argo_ml.cli.options import default_text, value_type
from argo_ml.config import (
    AdaptiveFields,
    AnswerSpec,
    CacheFields,
    CachePruneSpec,
    CalibrateSpec,
    CellSpec,
    CompareSpec,
    CorpusFields,
    DoctorSpec,
    EpisodeFields,
    ExperimentSpec,
    FetchSpec,
    MDPFields,
    ModelFields,
    PlanSpec,
    QuestionFields,
    ReplaySpec,
    ReportSpec,
    Spec,
    StudySpec,
    SweepSpec,
    TrackingFields,
    VerifySpec,
    is_operational,
)

TARGET = Path("docs/parameters.md")

HEAD = """\
# Parameters

Written by `make docs` from `argo_ml/config.py` and `argo_ml/command_specs.py`.

`-P name=value` of `mlflow run` and `--name value` of `argo-ml` are the same parameters. A value
comes from the command line, else from the environment (`ARGO_ML_<NAME>`), else from the file of
`--params FILE` (YAML or JSON), else it is the default. `mlflow run` passes every parameter on the
command line, so environment and file are for the commands of `argo-ml`. An empty value
means «not set». An unknown name or a bad value ends the command with one line that says what works.

Parameters marked ○ cannot change a number of a result, and so do not count in a cell's identity:
where files lie, how much runs at once. Questions, documents and models count by their contents.
"""

_EXPERIMENTS = "`main`, `calibrate`, `compare`, `estimate`, `run`, `tune`, `index`, `answer`"

GROUPS: tuple[tuple[str, str, type[Spec], type[Spec] | None], ...] = (
    ("Questions", _EXPERIMENTS, QuestionFields, None),
    ("Cache", "all but `report`", CacheFields, None),
    ("Corpus", f"{_EXPERIMENTS}, `doctor`", CorpusFields, CacheFields),
    ("Model", f"{_EXPERIMENTS}, `doctor`, `plan`", ModelFields, None),
    ("Episode", _EXPERIMENTS, EpisodeFields, None),
    ("Decision process", _EXPERIMENTS, MDPFields, None),
    ("Looking at the question", _EXPERIMENTS, AdaptiveFields, None),
    ("Tracking and execution", _EXPERIMENTS, TrackingFields, None),
    ("Sweep", "`main`, `compare`, `estimate`", SweepSpec, ExperimentSpec),
    ("Calibration", "`calibrate`", CalibrateSpec, ExperimentSpec),
    ("Comparison", "`compare`", CompareSpec, SweepSpec),
    ("Cell", "`run`, `answer`", CellSpec, ExperimentSpec),
    ("Study", "`tune`", StudySpec, ExperimentSpec),
    ("Answer", "`answer`", AnswerSpec, CellSpec),
    ("Fetch", "`fetch`", FetchSpec, CacheFields),
    ("Doctor", "`doctor`, beside those of model and corpus", DoctorSpec, None),
    ("Plan", "`plan`, beside those of the model", PlanSpec, DoctorSpec),
    ("Verify", "`verify`", VerifySpec, CacheFields),
    ("Report", "`report`", ReportSpec, None),
    ("Replay", "`replay`", ReplaySpec, CacheFields),
    ("Pruning the call cache", "`argo-ml cache prune`", CachePruneSpec, CacheFields),
)
"""Title, entry points, spec, and the spec whose fields another group shows."""

_SHOWN_WITH_DOCTOR = {**ModelFields.model_fields, **CorpusFields.model_fields}


def parameters_text() -> str:
    return HEAD + "".join(_group(*group) for group in GROUPS)


def _group(title: str, entry_points: str, spec: type[Spec], base: type[Spec] | None) -> str:
    elsewhere = base.model_fields if base else {}
    if spec is DoctorSpec:
        elsewhere = _SHOWN_WITH_DOCTOR
    # What a spec declares anew, such as another default, is shown with it too.
    rows = [
        _row(name, field)
        for name, field in spec.model_fields.items()
        if name not in elsewhere or _row(name, field) != _row(name, elsewhere[name])
    ]
    head = f"\n## {title}\n\nOf {entry_points}.\n\n| parameter | default | values | meaning |\n"
    return head + "|---|---|---|---|\n" + "".join(rows)


def _row(name: str, field: FieldInfo) -> str:
    mark = " ○" if is_operational(field) else ""
    default = default_text(field)
    shown = f"`{default}`" if default else "not set"
    values = "; ".join(dict.fromkeys(_values(field))) or "text"
    meaning = (field.description or "").replace("|", "\\|")
    return f"| `{name}`{mark} | {shown} | {values} | {meaning} |\n"


def _values(field: FieldInfo) -> Iterator[str]:
    """What the field takes, in words."""
    yield from _type_values(value_type(field))
    yield from _bounds(field.metadata)


def _type_values(annotation: Any) -> Iterator[str]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        yield ", ".join(f"`{argument}`" for argument in arguments)
    elif origin is Annotated:
        yield from _type_values(arguments[0])
        for extra in arguments[1:]:
            yield from _bounds(getattr(extra, "metadata", ()))
    elif origin is tuple:
        yield "list"
    elif annotation in _NAMES:
        yield _NAMES[annotation]


_NAMES = {int: "whole number", float: "number", bool: "`true`, `false`", Path: "path"}


def _bounds(metadata: Any) -> Iterator[str]:
    for bound in metadata:
        if isinstance(bound, Gt):
            yield f"> {bound.gt}"
        elif isinstance(bound, Ge):
            yield f"≥ {bound.ge}"
        elif isinstance(bound, Le):
            yield f"≤ {bound.le}"


if __name__ == "__main__":
    TARGET.write_text(parameters_text(), encoding="utf-8")
