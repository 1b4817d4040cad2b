"""The run that justifies a published policy: a sweep, or a replay of recorded outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_ml.config import CellSpec, PublishSpec, RetrievalPriceFields, build, shared_fields
from argo_ml.errors import ConfigError
from argo_ml.evaluation.advice import Advice
from argo_ml.evaluation.record import Evaluation
from argo_ml.replay.storing import KIND as REPLAY
from argo_ml.results.artifacts import ADVICE, EVALUATION
from argo_ml.results.records import Results
from argo_ml.results.stored import stored_record
from argo_ml.sweep.parent_run import load_parameters, load_record
from argo_ml.sweep.record import SweepRecord, open_record
from argo_ml.tracking.location import store_option
from argo_ml.tracking.runs import KIND, Tracking, store_of_runs
from argo_ml.verification.recomputed import replay_faults
from argo_ml.verification.verify import verify_record

_N_SHOWN = 3
NO_MODEL = ("model", "prices_file", "tracking_uri")
"""Fields of a replay that say nothing of how its policies decide."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a run says of a policy; ``shared`` are the fields of all its cells.

    ``named_prices`` are the prices of a retrieval in money that an advice was asked about, in
    shares of what is at stake, ascending: it looks at others beside them.
    """

    record: SweepRecord
    shared: Mapping[str, Any]
    results: Results
    evaluation: Evaluation
    advice: Advice | None = None
    named_prices: tuple[float, ...] = ()

    @property
    def answer(self) -> str:
        """What the policy was published for, a line per sentence."""
        return "\n".join(self.advice.sentences) if self.advice else self.evaluation.answer

    @property
    def is_replay(self) -> bool:
        return self.record.kind == REPLAY


def open_source(spec: PublishSpec, folder: Path) -> Source:
    """Raises `ConfigError` for a run that does not verify."""
    advice = _advice(spec)
    run_id = confirming_run(advice) if advice else spec.sweep
    record = open_record(
        run_id, spec.tracking_uri, spec.experiment, folder, kinds=("sweep", REPLAY)
    )
    is_replay = record.kind == REPLAY
    faults = replay_faults(record) if is_replay else _sweep_faults(record)
    if faults:
        shown = "; ".join(faults[:_N_SHOWN])
        raise ConfigError(
            f"{record.kind}={record.run_id} does not verify and is not published ({shown})"
        )
    evaluation = stored_record(record.artifact(EVALUATION), Evaluation, record.run_id)
    results = record.results()
    shared = _replayed_fields(results) if is_replay else shared_fields(record.spec(), CellSpec)
    named = _named_prices(record.tracking, advice.advice_id) if advice else ()
    return Source(record, shared, results, evaluation, advice, named)


def _sweep_faults(record: SweepRecord) -> list[str]:
    return [f"{own.name}: {own.detail}" for own in verify_record(record) if own.has_failed]


def _replayed_fields(results: Results) -> dict[str, Any]:
    """What a replay's policies decide by, as the fields of a cell."""
    names = [name for name in CellSpec.model_fields if name not in NO_MODEL]
    taken = {name: results.spec[name] for name in names if name in results.spec}
    return {**taken, "dataset": "atlas", "experiment": ""}


def _advice(spec: PublishSpec) -> Advice | None:
    """Raises `ConfigError` for an advice that was not confirmed on questions of their own."""
    if not spec.advice:
        return None
    if spec.sweep or spec.strategy:
        raise ConfigError("advice names sweep and strategies itself; leave out sweep and strategy")
    store = store_of_runs(spec.tracking_uri)
    run = store.find(spec.advice)
    kind = run.data.tags.get(KIND, "something else")
    if kind != "advice":
        raise ConfigError(f"advice={spec.advice}: that run is a {kind}, not an advice")
    advice = load_record(store, run.info.run_id, ADVICE, Advice)
    if not confirming_run(advice):
        raise ConfigError(
            f"advice={spec.advice} was not confirmed on the test split; go on with it first: "
            f"{advice.go_on + store_option() if advice.go_on else 'argo-ml advise with a model'}"
        )
    return advice


def _named_prices(tracking: Tracking, advice_id: str) -> tuple[float, ...]:
    stored = load_parameters(tracking, advice_id)
    # What a file of prices said is stored as well.
    names = RetrievalPriceFields.model_fields.keys() - {"prices_file"}
    own = {name: value for name, value in stored.items() if name in names}
    return build(RetrievalPriceFields, own).retrieval_shares()


def confirming_run(advice: Advice) -> str:
    """The run that an advice rests on: its sweep of the test split, or its replay of recorded
    outcomes; empty where a budget ended it before."""
    return advice.runs.get("test") or advice.runs.get(REPLAY, "")
