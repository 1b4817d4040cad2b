from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from argo_ml.config import (
    AdviseSpec,
    CalibrateSpec,
    CellSpec,
    PlanSpec,
    ReplaySpec,
    Spec,
    StudySpec,
    SweepSpec,
    build,
    identity_fields,
    read_params,
)
from argo_ml.errors import ConfigError
from argo_ml.sweep.cells import cell_id

DIGESTS = {"questions_digest": "q", "corpus_digest": "c"}


def cell(**values: Any) -> CellSpec:
    return build(CellSpec, values)


@pytest.mark.parametrize(
    ("mode", "n_questions", "n_prices"), [("small", 10, 5), ("medium", 100, 10), ("full", 1000, 10)]
)
def test_mode_sets_the_size(mode: str, n_questions: int, n_prices: int) -> None:
    spec = build(SweepSpec, {"mode": mode})

    assert spec.question_limit == n_questions
    assert len(spec.prices) == n_prices


def test_fields_override_the_mode() -> None:
    spec = build(SweepSpec, {"mode": "full", "n_questions": "7", "n_prices": "2"})

    assert spec.question_limit == 7
    assert spec.prices == (0.02, 0.2)


def test_prices_run_from_one_to_ten_times_the_reasoning_cost() -> None:
    assert build(SweepSpec, {}).prices == (0.02, 0.065, 0.11, 0.155, 0.2)


def test_grid_is_every_strategy_at_every_price() -> None:
    spec = build(SweepSpec, {"strategies": "argo,random", "retrieval_costs": "0.1,0.2,0.3"})

    grid = [(one.strategy, one.retrieval_cost) for one in spec.cells()]

    assert grid == [
        ("argo", 0.1),
        ("argo", 0.2),
        ("argo", 0.3),
        ("random", 0.1),
        ("random", 0.2),
        ("random", 0.3),
    ]


def test_empty_strings_mean_not_set() -> None:
    assert build(SweepSpec, {"n_questions": "", "model": ""}) == build(SweepSpec, {})


ONE_OR_MORE = [
    (SweepSpec, "gpus", "0", [0, [0], (0,), np.array([0]), np.int64(0)]),
    (SweepSpec, "retrieval_costs", "0.1", [0.1, [0.1], np.array([0.1]), np.float64(0.1)]),
    (SweepSpec, "retrieval_costs", "0.1,0.2", [[0.1, 0.2], ["0.1", 0.2], np.array([0.1, 0.2])]),
    (SweepSpec, "strategies", "argo", [["argo"], np.array(["argo"])]),
    (StudySpec, "top_k_range", "2", [2, [2, 2], np.array([2, 2])]),
    (PlanSpec, "devices", "12GB", [12 * 10**9, ["12GB"], [12 * 10**9]]),
    (PlanSpec, "devices", "12GB,11.5GiB", [["12GB", "11.5GiB"], ["12GB", 12348030976]]),
]


@pytest.mark.parametrize(
    ("spec_type", "name", "text", "value"),
    [(*head, value) for *head, values in ONE_OR_MORE for value in values],
)
def test_a_list_is_the_same_as_text_as_values_and_as_its_only_value(
    spec_type: type[Spec], name: str, text: str, value: object
) -> None:
    assert build(spec_type, {name: value}) == build(spec_type, {name: text})


def test_a_list_takes_no_truth_value() -> None:
    with pytest.raises(ConfigError, match="gpus=True: input should be a valid tuple"):
        build(SweepSpec, {"gpus": True})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mode": "tiny"}, "mode=tiny: input should be 'small', 'medium' or 'full'"),
        ({"retrieval_costs": "0.1,0"}, "retrieval_costs=0: input should be greater than 0"),
        ({"retrieval_costs": "0.1,0.1"}, "retrieval_costs=0.1,0.1 repeats a value"),
        ({"retrieval_costs": "cheap"}, "retrieval_costs=cheap: input should be a valid number"),
        ({"threads": "0"}, "threads=0: input should be greater than or equal to 1"),
        ({"workers": "2"}, "workers=2 needs executor=ray"),
        ({"ray_address": "auto"}, "ray_address=auto needs executor=ray"),
        (
            {"executor": "ray", "ray_address": "head"},
            "ray_address=head must be auto or HOST:PORT",
        ),
        (
            {"executor": "ray", "gpus_per_worker": "2", "device": "cpu"},
            "gpus_per_worker=2 does not go with device=cpu",
        ),
        ({"p_s": "0"}, "p_s=0: input should be greater than 0"),
        ({"p_s": "1.2"}, "p_s=1.2: input should be less than or equal to 1"),
        ({"mu": "nan"}, "mu=nan: input should be a finite number"),
        (
            {"stratgies": "argo"},
            "parameter 'stratgies' is unknown; did you mean 'strategies'? --help lists all",
        ),
        ({"chunk_overlap": "160"}, "chunk_overlap=160 must be below chunk_size=160"),
        ({"dataset": "jsonl"}, "dataset=jsonl needs questions=FILE.jsonl"),
        (
            {"hidden_states": "true", "model": "server:m", "server_urls": "http://host:1"},
            "hidden_states=true: model=server:m runs on a server, which tells of none; use a model "
            "that runs in this process, or leave hidden_states out",
        ),
        (
            {"hidden_states": "true", "engine": "vllm"},
            "hidden_states=true: engine=vllm runs a server, which tells of none; use engine=auto "
            "or plain, or leave hidden_states out",
        ),
        ({"hidden_states": "maybe"}, "hidden_states=maybe: input should be true or false"),
    ],
)
def test_bad_value_is_named_on_one_line(values: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        build(SweepSpec, values)

    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("spec_type", [AdviseSpec, ReplaySpec, CalibrateSpec])
def test_strategies_are_called_policies_where_some_are_chosen_among(spec_type: type[Spec]) -> None:
    with pytest.raises(ConfigError, match=r"^parameter 'strategies' is called 'policies' here$"):
        build(spec_type, {"strategies": "never"})


def test_thresholds_out_of_order_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"theta_cont=0\.8 must not exceed theta_star=0\.4"):
        cell(strategy="fixed_threshold", theta_cont="0.8", theta_star="0.4")


def test_specs_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        cell().seed = 7  # type: ignore[misc]


def test_cell_id_is_the_same_for_the_same_spec() -> None:
    assert cell_id(cell(seed="7"), DIGESTS) == cell_id(cell(seed=7), DIGESTS)


@pytest.mark.parametrize(
    "values",
    [
        {"seed": 7},
        {"retrieval_cost": 0.3},
        {"top_k": 5},
        {"strategy": "random"},
        {"scorer": "exact"},
    ],
)
def test_cell_id_differs_where_a_number_can_differ(values: dict[str, Any]) -> None:
    assert cell_id(cell(**values), DIGESTS) != cell_id(cell(), DIGESTS)


def test_cell_id_of_defaults_is_that_of_earlier_versions() -> None:
    assert cell_id(cell(), DIGESTS) == "3466e5a9c216d8dd"


def test_cell_id_ignores_where_things_lie() -> None:
    moved = cell(cache_dir="/elsewhere", tracking_uri="sqlite:///x.db", shard_size=3)

    assert cell_id(moved, DIGESTS) == cell_id(cell(), DIGESTS)


def test_cell_id_depends_on_the_content_of_questions_and_corpus() -> None:
    assert cell_id(cell(), {**DIGESTS, "corpus_digest": "d"}) != cell_id(cell(), DIGESTS)


def test_cell_id_can_be_computed_from_the_record() -> None:
    spec = cell(strategy="random", retrieval_cost=0.3)

    assert cell_id(build(CellSpec, identity_fields(spec)), DIGESTS) == cell_id(spec, DIGESTS)


def test_embedded_model_generates_fewer_tokens() -> None:
    assert cell().generation_limit == 24
    assert cell(model="qwen2.5-7b").generation_limit == 50
    assert cell(max_new_tokens="9").generation_limit == 9


@pytest.mark.parametrize("scorer", ["auto", "exact", "f1:0.5", "numeric:0.01", "package.mod:fn"])
def test_scorer_is_kept_as_it_is_given(scorer: str) -> None:
    assert cell(scorer=scorer).scorer == scorer


@pytest.mark.parametrize("scorer", ["bleu", "f1:", "f1:2", "numeric:x", "auto:1", "a b:c"])
def test_scorer_that_is_none_is_named_with_what_would_work(scorer: str) -> None:
    with pytest.raises(ConfigError, match=rf"^scorer={scorer}: .*"):
        cell(scorer=scorer)


def test_params_file_may_be_yaml_or_json(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("mode: full\nseed: 7\n")
    (tmp_path / "a.json").write_text('{"mode": "full", "seed": 7}')

    assert read_params(tmp_path / "a.yaml") == read_params(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("content", "message"), [("- 1", "parameter: value pairs"), ("a: [", "not YAML or JSON")]
)
def test_params_file_of_another_kind_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(content)

    with pytest.raises(ConfigError, match=message):
        read_params(path)


def test_missing_params_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml: cannot be read"):
        read_params(tmp_path / "absent.yaml")
