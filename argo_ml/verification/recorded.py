"""Has every run the params, inputs and curves that it would have without any interruption."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from argo_ml.config import CellSpec, SweepSpec, identity_fields
from argo_ml.results.metrics import CURVES
from argo_ml.results.records import CellResult, Results
from argo_ml.sweep.cell_run import cell_params, curve_steps
from argo_ml.sweep.record import SweepRecord
from argo_ml.tracking.names import logged_params, spec_params
from argo_ml.tracking.owners import OWNER
from argo_ml.tracking.runs import Run, is_logged_as
from argo_ml.verification.verdict import Verdict, judged

_DIGEST_SHOWN = 36
"""Characters of a digest that MLflow keeps of an input."""
_INPUTS = ("questions_digest", "corpus_digest")
_OF_CELLS = frozenset({"strategy", "retrieval_cost", "theta_cont", "theta_star"})
"""Params of a cell that are no fields of the sweep's spec, or say something else there."""


def check_recorded(record: SweepRecord, spec: SweepSpec, results: Results) -> Verdict:
    """What runs have recorded follows from the stored spec.

    A run that names no process is of an earlier version: it need only have what the others of its
    sweep have.
    """
    problems = list(_wrong_sweep(record, spec, results))
    specs = dict(zip((cell.cell_id for cell in results.cells), spec.cells(), strict=False))
    usual = _shared_params(record.children)
    for cell in results.cells:
        child = record.child_of(cell)
        if child is None or cell.cell_id not in specs:
            continue
        if OWNER in child.data.tags:
            wrong = _wrong_cell(record, spec, results, (cell, specs[cell.cell_id], child))
        else:
            wrong = _unlike_others(record.run, child, usual)
        problems += [f"{cell.name} {text}" for text in wrong]
    return judged(
        "params, inputs, curves",
        problems,
        f"{len(record.children) + 1} runs have all that their spec asks for",
    )


def _wrong_sweep(record: SweepRecord, spec: SweepSpec, results: Results) -> Iterator[str]:
    if OWNER not in record.run.data.tags:
        return
    fields = identity_fields(spec)
    known = {name: fields[name] for name in fields.keys() & spec.model_fields_set}
    for text in (
        *wrong_params({**known, **results.digests}, record.run),
        *wrong_inputs(results.digests, record.run),
    ):
        yield f"the sweep {text}"


def _wrong_cell(
    record: SweepRecord,
    spec: SweepSpec,
    results: Results,
    of: tuple[CellResult, CellSpec, Run],
) -> Iterator[str]:
    cell, cell_spec, child = of
    digests = results.digests
    expected = {
        name: value
        for name, value in cell_params(cell_spec, cell.policy, digests).items()
        if name in spec.model_fields_set or name in _OF_CELLS or name.endswith("_digest")
    }
    yield from wrong_params(expected, child)
    yield from wrong_inputs(digests, child)
    n_asked, stopping = len(cell.questions), results.stopping
    n_available = stopping.n_available if stopping else n_asked
    yield from wrong_curves(record, child, curve_steps(n_asked, spec.shard_size, n_available))


def _shared_params(cells: Sequence[Run]) -> set[str]:
    """The params of all cells that have any."""
    names = [set(params) for run in cells if (params := logged_params(run))]
    return set.intersection(*names) if names else set()


def _unlike_others(sweep: Run, child: Run, usual: set[str]) -> Iterator[str]:
    if missing := usual - logged_params(child).keys():
        yield f"lacks {len(missing)} params that other cells have, such as {min(missing)}"
    elif not usual:
        yield "has no params"
    if lacking := _input_digests(sweep) - _input_digests(child):
        yield f"lacks {len(lacking)} inputs of the sweep"


def wrong_params(expected: Mapping[str, object], run: Run) -> Iterator[str]:
    logged = logged_params(run)
    names = {name.rpartition("/")[2]: value for name, value in spec_params(expected).items()}
    if not logged:
        yield "has no params"
        return
    for name, value in names.items():
        if not is_logged_as(value, logged.get(name)):
            yield f"has {name}={logged.get(name, 'nothing')}, the spec says {value}"


def wrong_inputs(digests: Mapping[str, str], run: Run) -> Iterator[str]:
    expected = {digests[name][:_DIGEST_SHOWN] for name in _INPUTS if name in digests}
    if lacking := expected - _input_digests(run):
        yield f"lacks {len(lacking)} of {len(expected)} inputs"


def _input_digests(run: Run) -> set[str]:
    inputs = run.inputs.dataset_inputs if run.inputs else []
    return {entry.dataset.digest for entry in inputs}


def wrong_curves(record: SweepRecord, child: Run, expected: list[int]) -> Iterator[str]:
    for name in CURVES:
        steps = record.tracking.history_steps(child.info.run_id, name)
        if steps != expected:
            lacking = [step for step in expected if step not in steps]
            extra = [step for step in steps if step not in expected]
            what = f"lacks steps {lacking}" if lacking else f"has steps {extra} of no shard's end"
            yield f"{name} {what}"
            return
