"""What editors and type checkers know of the Python interface."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import argo_ml
from argo_ml.config import (
    AdviseSpec,
    CalibrateSpec,
    EstimateSpec,
    PublishSpec,
    RecordSpec,
    ReplaySpec,
    Spec,
    StudySpec,
    SweepSpec,
)

STUB = Path(__file__).parents[2] / "argo_ml/__init__.pyi"


@pytest.fixture(scope="module")
def definitions() -> dict[str, ast.FunctionDef]:
    body = ast.parse(STUB.read_text(encoding="utf-8")).body
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef)}


def types_of_options(function: ast.FunctionDef) -> dict[str, str]:
    named = function.args.kwonlyargs
    return {own.arg: ast.unparse(own.annotation) for own in named if own.annotation}


@pytest.mark.parametrize(
    ("name", "spec_type"),
    [
        ("advise", AdviseSpec),
        ("calibrate", CalibrateSpec),
        ("estimate", EstimateSpec),
        ("publish", PublishSpec),
        ("record", RecordSpec),
        ("replay", ReplaySpec),
        ("sweep", SweepSpec),
        ("tune", StudySpec),
    ],
)
def test_every_option_is_a_keyword(
    definitions: dict[str, ast.FunctionDef], name: str, spec_type: type[Spec]
) -> None:
    # `progress` is that of the bars.
    options = types_of_options(definitions[name]).keys() - {"progress"}
    assert options == spec_type.model_fields.keys() - {"progress"}


def test_an_option_has_the_types_that_it_is_read_from(
    definitions: dict[str, ast.FunctionDef],
) -> None:
    types = types_of_options(definitions["sweep"])
    assert types["mode"] == "Literal['small', 'medium', 'full']"
    assert types["n_questions"] == "int | None"
    assert types["min_similarity"] == "float | str | None"
    assert types["cache_dir"] == "str | PathLike[str]"
    assert types["retrieval_costs"] == "str | float | Iterable[float]"
    assert types["strategies"] == "str | Iterable[str | Policy]"
    ranges = types_of_options(definitions["tune"])
    assert ranges["theta_cont_range"] == "str | float | Iterable[float] | None"


def test_every_public_name_is_known(definitions: dict[str, ast.FunctionDef]) -> None:
    body = ast.parse(STUB.read_text(encoding="utf-8")).body
    imports = [name for node in body if isinstance(node, ast.ImportFrom) for name in node.names]
    exported = {name.asname for name in imports if name.asname}
    assert {"__version__", *definitions, *exported} == set(argo_ml.__all__)
