"""Every command takes the groups of parameters that the code behind it reads, and no others."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from typing import Any

import pytest

from argo_ml.cli.command_specs import COMMANDS
from argo_ml.config import (
    AnswerSpec,
    CalibrateSpec,
    CellSpec,
    CompareSpec,
    DoctorSpec,
    EstimateSpec,
    ExperimentSpec,
    IndexSpec,
    ModelSpec,
    PlanSpec,
    Spec,
    StudySpec,
    SweepSpec,
    build,
    identity_fields,
    shared_fields,
)
from argo_ml.errors import ConfigError

QUESTIONS = {"DatasetFields", "SampleFields", "SeedFields", "GradingFields"}
CORPUS = {"DatabaseFields", "CacheFields", "DocumentFields", "EmbeddingFields", "RetrieverFields"}
INFERENCE = {
    *("DeviceFields", "PrecisionFields", "EngineFields", "BatchFields", "PrefixCacheFields"),
    "ServerFields",
}
MODEL = {"ModelNameFields", *INFERENCE}
EPISODE = {"StepFields", "AnsweringFields"}
ADAPTIVE = {
    *("CalibrationFields", "GuaranteeFields", "StrategyFields", "GateFields", "OracleFields"),
}
DECISIONS = {"MDPFields", "ThresholdFields", *ADAPTIVE}
TRACKING = {"DatabaseFields", "StoreFields", "ShardFields", "UnansweredFields"}
SHARED = {*QUESTIONS, *CORPUS, *MODEL, *EPISODE, *DECISIONS, *TRACKING}
EXPERIMENT = {*SHARED, "MoneyFields"}
GRID = {"GridFields", "MoneyFields", "RetrievalPriceFields"}

GROUPS: dict[str, set[str]] = {
    "main": {*EXPERIMENT, *GRID, "ExecutorFields", "SweepSpec"},
    "advise": {
        *(SHARED - DECISIONS - {"SampleFields"}),
        *("MoneyFields", "RetrievalPriceFields", "BudgetFields", "AdviseSpec"),
    },
    "run": {*EXPERIMENT, "CellFields"},
    "tune": {
        *(SHARED - {"ThresholdFields", "OracleFields"}),
        *("StudyFields", "RangeFields", "StudySpec"),
    },
    "calibrate": {*(SHARED - DECISIONS), "CalibrateSpec"},
    "compare": {
        *(EXPERIMENT - {"ModelNameFields"}),
        *GRID,
        *("ExecutorFields", "CompareSpec"),
    },
    "index": {"DatasetFields", *CORPUS, "DeviceFields"},
    "fetch": {"DatabaseFields", "CacheFields", "FetchSpec"},
    "doctor": {*EXPERIMENT, *GRID, "ExecutorFields", "SweepSpec", "DoctorSpec"},
    "plan": {
        *("DatabaseFields", "CacheFields", "ModelNameFields", "DeviceFields", "PrecisionFields"),
        *("PrefixCacheFields", "PlanSpec"),
    },
    "estimate": {*EXPERIMENT, *GRID},
    "verify": {"DatabaseFields", "CacheFields", "StoreFields", "VerifySpec"},
    "report": {"DatabaseFields", "StoreFields", "ReportSpec"},
    "replay": {
        *("DatabaseFields", "CacheFields", "GradingFields", "OutcomeSources", "StoreFields"),
        *("MoneyFields", "RetrievalPriceFields", "GuaranteeFields", "StrategyFields"),
    },
    "answer": {
        *(SHARED - {"SampleFields", "GradingFields", "OracleFields"} - {*TRACKING}),
        *("DatabaseFields", "StoreFields", "CellFields", "AnswerSpec"),
    },
    "publish": {"DatabaseFields", "StoreFields", "PolicyNameFields", "PublishSpec"},
    "watch": {"DatabaseFields", "StoreFields", "PolicyNameFields"},
    "cache stats": {"DatabaseFields", "CacheFields"},
    "cache check": {"DatabaseFields", "CacheFields"},
    "cache ledger": {"DatabaseFields", "CacheFields"},
    "cache prune": {"DatabaseFields", "CacheFields", "CachePruneSpec"},
}
"""By command, the classes that declare its fields; its own spec among them where it adds some."""

COUNTS = {
    "main": 90,
    "advise": 75,
    "run": 81,
    "tune": 87,
    "calibrate": 51,
    "compare": 88,
    "index": 16,
    "fetch": 4,
    "doctor": 93,
    "plan": 9,
    "estimate": 83,
    "verify": 7,
    "report": 6,
    "replay": 31,
    "answer": 66,
    "publish": 11,
    "watch": 5,
    "cache stats": 2,
    "cache check": 2,
    "cache ledger": 2,
    "cache prune": 4,
}

CELL_FIELDS = (
    *("dataset", "questions", "split", "difficulty", "mode", "n_questions", "seed", "scorer"),
    *("database_timeout_s", "cache_dir"),
    *("documents", "document_seconds", "document_mb", "chunk_size", "chunk_overlap"),
    *("embedding_model", "query_prompt", "passage_prompt", "chroma_url"),
    *("retriever", "reranker", "model"),
    *("device", "gpus", "precision", "quantization", "engine", "engine_path"),
    *("hidden_states", "thinking_tokens"),
    *("batch_tokens", "threads", "prefix_cache_mb"),
    *("server_urls", "server_concurrency", "request_timeout_s", "max_answer_mb", "max_retries"),
    *("top_k", "min_similarity", "channel_success_rate", "max_steps"),
    *("max_new_tokens", "evidence_tokens"),
    *("answering", "delta_r", "delta_p", "p_s", "reason_cost", "mu", "policy_mu", "gamma", "u_max"),
    *("quality", "alpha", "theta_cont", "theta_star", "calibration", "progress", "gains"),
    *(
        "probe_cost",
        "guarantee",
        "delta",
        "strategy_parameters",
        "gate_budget",
        "abstain_below",
        "oracle_steps",
    ),
    *("experiment", "tracking_uri", "shard_size", "max_unanswered"),
    *("value_of_correct", "price_per_1m_prompt_tokens", "price_per_1m_completion_tokens"),
    *("price_per_second", "price_of_wrong", "price_of_abstaining", "price_unit", "prices_file"),
)


def declaring(spec_type: type[Spec], name: str) -> str:
    """The class that declares a field first."""
    classes = reversed(spec_type.__mro__)
    return next(each.__name__ for each in classes if name in inspect.get_annotations(each))


@pytest.mark.parametrize("command", list(COMMANDS))
def test_a_command_takes_these_groups_and_no_others(command: str) -> None:
    spec_type = COMMANDS[command]

    groups = {declaring(spec_type, name) for name in spec_type.model_fields}

    assert groups == GROUPS[command]
    assert len(spec_type.model_fields) == COUNTS[command]


@pytest.mark.parametrize(
    ("spec_type", "names"),
    [
        (IndexSpec, "mode n_questions split difficulty questions seed model shard_size experiment"),
        (AnswerSpec, "mode n_questions split difficulty questions shard_size oracle_steps"),
        (CalibrateSpec, "theta_cont theta_star oracle_steps abstain_below gate_budget progress"),
        (CalibrateSpec, "gains calibration probe_cost p_s mu reason_cost"),
        (StudySpec, "theta_cont theta_star oracle_steps n_prices resume"),
        (EstimateSpec, "resume executor workers gpus_per_worker ray_address"),
        (DoctorSpec, "models n_trials sweep"),
        (COMMANDS["plan"], "threads engine batch_tokens server_urls max_retries documents"),
    ],
)
def test_a_parameter_that_would_do_nothing_is_refused(spec_type: type[Spec], names: str) -> None:
    for name in names.split():
        with pytest.raises(ConfigError, match=f"^parameter '{name}' is unknown[^\\n]*$"):
            build(spec_type, {name: "1"})


def test_one_model_beside_several_says_what_to_do() -> None:
    with pytest.raises(ConfigError, match="'model' is not taken here: put every model into models"):
        build(CompareSpec, {"models": "a,b", "model": "c"})


@pytest.mark.parametrize(
    ("name", "value"), [("calibration", "ID"), ("progress", "measured"), ("gains", "measured")]
)
def test_several_models_have_no_calibration_in_common(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}={value}.*: it is of one model, and a comparis"):
        build(CompareSpec, {"models": "a,b", name: value})


def test_a_cell_and_a_sweep_keep_their_fields_in_the_order_of_stored_ones() -> None:
    assert tuple(ExperimentSpec.model_fields) == CELL_FIELDS
    later = {
        "query_prompt",
        "passage_prompt",
        "hidden_states",
        "retriever",
        "reranker",
        "thinking_tokens",
    }
    later |= {"guarantee", "delta", "strategy_parameters"}
    stored = tuple(name for name in CELL_FIELDS if name not in later)
    assert tuple(ExperimentSpec().model_dump(mode="json")) == stored
    assert tuple(CellSpec.model_fields) == (*CELL_FIELDS, "strategy", "retrieval_cost")
    assert tuple(SweepSpec.model_fields) == (
        *CELL_FIELDS,
        *("executor", "workers", "gpus_per_worker", "ray_address"),
        *("price_per_retrieval", "strategies", "retrieval_costs", "n_prices"),
        *("resume", "until", "traces"),
    )


def test_a_study_is_known_by_all_that_its_cells_are_known_by() -> None:
    spec = build(StudySpec, {"n_questions": "7"})

    search = json.loads(spec.search_text)

    assert set(identity_fields(ExperimentSpec())) < set(search)
    assert (search["theta_cont"], search["oracle_steps"], search["n_questions"]) == (None, 2, 7)
    assert (search["mode"], search["split"]) == ("medium", "tune")


def test_models_are_compared_by_sweeps_that_differ_in_the_model_alone() -> None:
    spec = build(CompareSpec, {"models": "a,b", "seed": "7", "strategies": "argo", "resume": "x"})

    sweep = spec.sweep("b")

    assert sweep == build(SweepSpec, {"model": "b", "seed": "7", "strategies": "argo"})


def test_what_explores_is_a_cell_with_the_calibration_s_own_fields() -> None:
    cell = build(CalibrateSpec, {"top_k": "5"}).cell()

    assert (cell.strategy, cell.top_k, cell.max_steps, cell.split) == ("never", 5, 3, "calibration")


def test_a_question_about_own_documents_needs_no_file_of_questions() -> None:
    values: dict[str, Any] = {"dataset": "jsonl", "documents": "texts", "question": "Where?"}

    cell = build(AnswerSpec, values).cell()

    assert (cell.documents, cell.strategy, cell.retrieval_cost) == ("texts", "argo", 0.11)


def test_shared_fields_are_those_of_both() -> None:
    shared = shared_fields(PlanSpec(model="tiny", devices="12GB"), ModelSpec)

    assert shared["model"] == "tiny"
    assert "devices" not in shared
    assert "answering" not in shared


def test_importing_the_specs_executes_few_modules() -> None:
    code = (
        "import sys, argo_ml.config; "
        "print(*(name for name in sys.modules if name.partition('.')[0] == 'argo_ml'))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert 1 < len(done.stdout.split()) < 24
