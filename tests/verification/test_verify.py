from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from argo_ml.errors import ConfigError, TrackingError
from argo_ml.tracking import runs
from argo_ml.verification import SweepRecord
from argo_ml.verification.completeness import OTHER_STEPS
from argo_ml.verification.verify import Verdict, verify_record, verify_sweep

pytestmark = pytest.mark.slow


EXPERIMENT = "stored"


def verify(stored: Any) -> dict[str, Verdict]:
    return {each.name: each for each in verify_sweep(stored.sweep_id, stored.uri, EXPERIMENT)}


def failed(stored: Any) -> dict[str, str]:
    return {name: each.detail for name, each in verify(stored).items() if each.has_failed}


def failed_in(record: SweepRecord) -> dict[str, str]:
    return {each.name: each.detail for each in verify_record(record) if each.has_failed}


def test_sound_sweep_passes_every_check(kept_sweep: Any) -> None:
    found = verify(kept_sweep)

    checks = [name for name, each in found.items() if not each.is_finding]
    assert [name for name in checks if not found[name].ok] == []
    assert checks == [
        "sweep finished",
        "graphs",
        "cells",
        "params, inputs, curves",
        "results.json",
        "metrics",
        "calls add up",
        "Graph 1.A and 1.B agree",
        "trajectories",
        "Graph 1.B: always_retrieve on top",
        "Graph 1.B: always_reason at zero",
        "Graph 1.B: argo falls with the price",
    ]


def test_findings_say_what_is_so_and_cannot_fail(kept_record: Any) -> None:
    findings = [each for each in verify_record(kept_record) if each.is_finding]

    assert [each.name for each in findings][-2:] == [
        "argo at least as useful as the best fixed strategy at c_r=0.02",
        "argo at least as useful as the best fixed strategy at c_r=0.2",
    ]
    assert not any(each.has_failed for each in findings)
    assert "against" in findings[-1].detail and ", p = " in findings[-1].detail


def test_finding_is_no_where_a_baseline_is_better(fetched_sweep: Any) -> None:
    def make_argo_wrong(content: dict[str, Any]) -> None:
        for cell in content["cells"]:
            for row in cell["questions"]:
                row["correct"] = cell["strategy"] != "argo"

    fetched_sweep.edit_results(make_argo_wrong)

    findings = [each for each in verify_record(fetched_sweep.record) if each.is_finding]
    assert [each.ok for each in findings if "argo" in each.name] == [False, False]


def test_latest_finished_sweep_is_found(kept_sweep: Any) -> None:
    verdicts = verify_sweep("", kept_sweep.uri, EXPERIMENT)

    assert kept_sweep.sweep_id in verdicts[0].detail


def test_resumption_stands_for_the_sweep_it_continued(stored_sweep: Any) -> None:
    client = stored_sweep.client
    experiment_id = client.get_experiment_by_name(EXPERIMENT).experiment_id
    tags = {runs.KIND: "resume", runs.SWEEP_ID: stored_sweep.sweep_id}
    pointer = client.create_run(experiment_id, tags=tags).info.run_id

    verdicts = verify_sweep(pointer, stored_sweep.uri, EXPERIMENT)

    assert stored_sweep.sweep_id in verdicts[0].detail


def test_unknown_run_is_an_error(kept_sweep: Any) -> None:
    with pytest.raises(TrackingError, match="run 'nosuchrun' is not in"):
        verify_sweep("nosuchrun", kept_sweep.uri, EXPERIMENT)


def test_run_of_a_cell_is_an_error(kept_sweep: Any) -> None:
    cell_run = kept_sweep.results.cells[0].run_id

    with pytest.raises(ConfigError, match="that run is a cell, not a sweep"):
        verify_sweep(cell_run, kept_sweep.uri, EXPERIMENT)


def test_unknown_experiment_is_an_error_and_not_created(kept_sweep: Any) -> None:
    with pytest.raises(TrackingError, match=r"experiment='other' is not in .*known: .*stored"):
        verify_sweep("", kept_sweep.uri, "other")

    assert kept_sweep.client.get_experiment_by_name("other") is None


def test_missing_store_is_an_error_and_not_created(tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="there is no such store"):
        verify_sweep("", f"sqlite:///{tmp_path / 'none.db'}", EXPERIMENT)

    assert list(tmp_path.iterdir()) == []


def test_experiment_without_finished_sweep_is_an_error(kept_sweep: Any) -> None:
    with pytest.raises(ConfigError, match="experiment=Default: no finished sweep there"):
        verify_sweep("", kept_sweep.uri, "Default")


def test_unfinished_sweep_fails(stored_sweep: Any) -> None:
    stored_sweep.client.update_run(stored_sweep.sweep_id, status="RUNNING")

    assert failed(stored_sweep) == {"sweep finished": "status is RUNNING"}


def test_failed_cell_fails(stored_sweep: Any) -> None:
    stored_sweep.client.update_run(stored_sweep.results.cells[0].run_id, status="FAILED")

    assert failed(stored_sweep) == {"cells": "argo c_r=0.02 is FAILED"}


def edit_store(stored: Any, *statements: str) -> None:
    with sqlite3.connect(stored.folder / "mlflow.db") as database:
        for statement in statements:
            database.execute(statement.format(first=stored.results.cells[0].run_id))


EVERYTHING_OF_FIRST = (
    "DELETE FROM params WHERE run_uuid = '{first}'",
    "DELETE FROM inputs WHERE destination_id = '{first}'",
)


def test_cell_without_params_and_inputs_fails(stored_sweep: Any) -> None:
    edit_store(stored_sweep, *EVERYTHING_OF_FIRST)

    problem = failed(stored_sweep)["params, inputs, curves"]
    assert problem == "argo c_r=0.02 has no params; argo c_r=0.02 lacks 2 of 2 inputs"


def test_cell_with_another_param_than_the_spec_fails(stored_sweep: Any) -> None:
    statement = "UPDATE params SET value = '7' WHERE run_uuid = '{first}' AND key LIKE '%top_k'"
    edit_store(stored_sweep, statement)

    problem = failed(stored_sweep)["params, inputs, curves"]
    assert problem == "argo c_r=0.02 has top_k=7, the spec says 3"


def test_cell_without_a_point_of_its_curves_fails(stored_sweep: Any) -> None:
    edit_store(stored_sweep, "DELETE FROM metrics WHERE run_uuid = '{first}' AND key = 'cost'")

    assert "cost lacks steps [0]" in failed(stored_sweep)["params, inputs, curves"]


def test_sweep_of_an_earlier_version_is_asked_for_what_its_cells_share(stored_sweep: Any) -> None:
    forget_processes = "DELETE FROM tags WHERE key = 'argo.process'"
    forget_param = "DELETE FROM params WHERE key LIKE '%top_k'"
    forget_points = "DELETE FROM metrics WHERE key = 'cost'"
    edit_store(stored_sweep, forget_processes, forget_param, forget_points)
    assert failed(stored_sweep) == {}

    edit_store(stored_sweep, *EVERYTHING_OF_FIRST)
    problem = failed(stored_sweep)["params, inputs, curves"]
    assert problem.startswith("argo c_r=0.02 lacks ")
    assert problem.endswith("argo c_r=0.02 lacks 2 inputs of the sweep")


def test_missing_cell_fails(fetched_sweep: Any) -> None:
    record = replace(fetched_sweep.record, children=fetched_sweep.record.children[:-1])

    problem = failed_in(record)["cells"]
    assert "argo c_r=0.02" in problem
    assert "has 0 runs" in problem


def test_cell_that_is_there_twice_fails(fetched_sweep: Any) -> None:
    children = fetched_sweep.record.children
    record = replace(fetched_sweep.record, children=(*children, children[0]))

    assert "has 2 runs" in failed_in(record)["cells"]


def test_child_that_is_no_cell_fails(stored_sweep: Any) -> None:
    client = stored_sweep.client
    experiment_id = client.get_experiment_by_name(EXPERIMENT).experiment_id
    client.create_run(experiment_id, tags={runs.PARENT: stored_sweep.sweep_id})

    assert failed(stored_sweep) == {"cells": "child one without id is no cell of the spec"}


def test_a_version_that_ran_cells_otherwise_is_told_once(fetched_sweep: Any) -> None:
    spec = fetched_sweep.artifact("spec.yaml")
    text = spec.read_text().replace("gains: given", "gains: measured")
    spec.write_text(text.replace("calibration: ''", "calibration: made"))

    assert failed_in(fetched_sweep.record)["cells"] == OTHER_STEPS


def test_cell_of_another_sweep_fails(stored_sweep: Any) -> None:
    run_id = stored_sweep.results.cells[0].run_id
    stored_sweep.client.set_tag(run_id, runs.SWEEP_ID, "another")

    assert failed(stored_sweep) == {"cells": "argo c_r=0.02 names another sweep"}


def test_cell_missing_from_results_fails(fetched_sweep: Any) -> None:
    fetched_sweep.edit_results(lambda content: content["cells"].pop())

    assert failed_in(fetched_sweep.record)["cells"].startswith(
        "results.json has other cells than the spec"
    )


@pytest.mark.parametrize("name", ["graph_1a", "graph_1b"])
def test_missing_graph_fails(stored_sweep: Any, name: str) -> None:
    stored_sweep.artifact(f"figures/{name}.png").unlink()
    stored_sweep.artifact(f"figures/{name}.svg").unlink()

    found = failed(stored_sweep)

    assert list(found) == ["graphs"]
    assert f"figures/{name}.png: run" in found["graphs"]
    assert f"figures/{name}.svg: run" in found["graphs"]


def test_cut_png_fails(fetched_sweep: Any) -> None:
    path = fetched_sweep.artifact("figures/graph_1a.png")
    path.write_bytes(path.read_bytes()[:3000])

    assert "figures/graph_1a.png: not an image" in failed_in(fetched_sweep.record)["graphs"]


def test_blank_png_fails(fetched_sweep: Any) -> None:
    from PIL import Image

    path = fetched_sweep.artifact("figures/graph_1b.png")
    Image.new("RGB", (800, 600), "white").save(path)

    assert "an empty image of 800 x 600 pixels" in failed_in(fetched_sweep.record)["graphs"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("<svg", "not an SVG image"),
        ('<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG image of 0 paths"),
    ],
)
def test_broken_svg_fails(fetched_sweep: Any, content: str, problem: str) -> None:
    fetched_sweep.artifact("figures/graph_1b.svg").write_text(content, encoding="utf-8")

    assert problem in failed_in(fetched_sweep.record)["graphs"]


def test_missing_results_fail_and_end_the_checks(stored_sweep: Any) -> None:
    stored_sweep.artifact("results.json").unlink()

    assert "has no artifact 'results.json'" in failed(stored_sweep)["spec and results"]


def test_results_without_a_field_fail(fetched_sweep: Any) -> None:
    fetched_sweep.edit_results(lambda content: content["cells"][0]["questions"][0].pop("cost"))

    run_id = fetched_sweep.record.run.info.run_id
    assert failed_in(fetched_sweep.record)["spec and results"] == (
        f"results.json of run {run_id}: damaged: cells.0.questions.0.cost: Field required; "
        "run its command again, without resume: calls that were made are in the call cache; "
        "nothing more can be checked"
    )


def test_unreadable_spec_fails(fetched_sweep: Any) -> None:
    fetched_sweep.artifact("spec.yaml").write_text("n_questions: many", encoding="utf-8")

    assert "n_questions=many" in failed_in(fetched_sweep.record)["spec and results"]


def _drop_last_question(content: dict[str, Any]) -> None:
    content["cells"][0]["questions"].pop()


def _repeat_question(content: dict[str, Any]) -> None:
    for cell in content["cells"]:
        cell["questions"][1]["question_id"] = cell["questions"][0]["question_id"]


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (_drop_last_question, "has other questions than"),
        (_repeat_question, "has a question twice"),
        (lambda content: content.update(sweep_id="other"), "sweep_id is other"),
        (lambda content: content["floors"].pop("random"), "floor random is missing"),
        (lambda content: content["spec"].update(mu=2.0), "mu is 2.0, the stored spec has 1.0"),
        (lambda content: content["digests"].update(corpus_digest="x"), "digests differ"),
        (lambda content: content["prices"].pop(), "prices differ from the stored spec"),
    ],
)
def test_incomplete_results_fail(
    fetched_sweep: Any, edit: Callable[[dict[str, Any]], object], problem: str
) -> None:
    fetched_sweep.edit_results(edit)

    assert problem in failed_in(fetched_sweep.record)["results.json"]


def test_logged_metric_that_differs_fails(stored_sweep: Any) -> None:
    run_id = stored_sweep.results.cells[3].run_id
    stored_sweep.client.log_metric(run_id, "accuracy", 0.123456, step=0)

    found = failed(stored_sweep)

    assert list(found) == ["metrics"]
    assert "in the run: accuracy is 0.123456, recomputed" in found["metrics"]


def test_metric_in_results_that_differs_fails(fetched_sweep: Any) -> None:
    fetched_sweep.edit_results(lambda content: content["cells"][0]["metrics"].update(utility=9.0))

    assert (
        "in results.json: utility is 9.0, recomputed" in failed_in(fetched_sweep.record)["metrics"]
    )


def test_a_metric_that_earlier_versions_did_not_have_is_not_missed(fetched_sweep: Any) -> None:
    def forget(content: dict[str, Any]) -> None:
        for cell in content["cells"]:
            for name in ("probe_calls", "unanswered", "repeated_retrievals"):
                del cell["metrics"][name]
            cell["metrics"]["fallbacks"] = cell["metrics"].pop("decomposer_fallbacks")

    fetched_sweep.edit_results(forget)
    assert failed_in(fetched_sweep.record) == {}


def test_metric_missing_from_the_sweep_fails(fetched_sweep: Any) -> None:
    fetched_sweep.edit_results(lambda content: content["floors"].update(fourth=0.5))

    assert "the sweep: floor_fourth is None" in failed_in(fetched_sweep.record)["metrics"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"decomposer_calls": 9}, "9 decomposer calls in 4 steps"),
        ({"reader_calls": 3}, "3 reader calls, 4 successes"),
        ({"reasoner_calls": 1}, "1 reasoner calls in 0 steps"),
        ({"synthesizer_calls": 2}, "2 synthesizer calls"),
        ({"lm_calls_paid": 9}, "9 calls paid of 8 needed"),
        ({"retrieval_successes": 5}, "5 successes of 4 retrievals"),
    ],
)
def test_calls_that_do_not_follow_from_the_actions_fail(
    fetched_sweep: Any, changes: dict[str, int], problem: str
) -> None:
    fetched_sweep.edit_results(lambda content: content["cells"][0]["questions"][0].update(changes))

    assert problem in failed_in(fetched_sweep.record)["calls add up"]


def test_calls_paid_elsewhere_are_not_looked_for_in_the_ledger_here(stored_sweep: Any) -> None:
    stored_sweep.client.log_metric(stored_sweep.sweep_id, "calls/lm_calls_executed", 0.0)
    assert "the ledger has 0 executed" in failed(stored_sweep)["calls add up"]

    stored_sweep.client.set_tag(stored_sweep.sweep_id, runs.CALLS_ELSEWHERE, "true")

    assert "calls add up" not in failed(stored_sweep)


def test_paid_calls_that_do_not_add_up_fail(stored_sweep: Any) -> None:
    stored_sweep.client.log_metric(stored_sweep.sweep_id, "lm_calls_paid_total", 47.0, step=1)

    assert (
        failed(stored_sweep)["calls add up"]
        == "lm_calls_paid_total of the sweep is 47.0, the rows add up to 72"
    )


def test_other_answer_after_the_same_actions_fails(fetched_sweep: Any) -> None:
    # At c_r = 0.02 ARGO retrieves as always_retrieve does.
    fetched_sweep.edit_results(
        lambda content: content["cells"][0]["questions"][0].update(answer="?")
    )

    problem = failed_in(fetched_sweep.record)["Graph 1.A and 1.B agree"]
    assert "question question-0: argo c_r=0.02 and always_retrieve c_r=0.02 acted alike" in problem


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda line: line["steps"].pop(), "other actions than its row"),
        (lambda line: line.update(answer="Cusco"), "another answer than its row"),
        (lambda line: line.update(stop_reason="limit"), "another stop reason than its row"),
        (lambda line: line.update(cost=0.5), "cost is 0.08"),
        (lambda line: line["steps"][0].update(cost=0.3), "a step at another price"),
        (lambda line: line["steps"][0].update(succeeded=False), "other retrieval successes"),
        (lambda line: line.update(question_id="other"), "are of other questions than the rows"),
        (
            lambda line: line["steps"][0].update(evidence=[{"passage_id": "chile"}]),
            "passage 'chile' is not stored",
        ),
        (lambda line: line.pop("steps"), "a line lacks 'steps'"),
    ],
)
def test_trajectory_that_differs_fails(
    fetched_sweep: Any, edit: Callable[[dict[str, Any]], object], problem: str
) -> None:
    fetched_sweep.edit_trajectory(edit)

    found = failed_in(fetched_sweep.record)

    assert list(found) == ["trajectories"]
    assert problem in found["trajectories"]


def test_missing_trajectories_fail(stored_sweep: Any) -> None:
    stored_sweep.artifact("trajectories.jsonl", stored_sweep.results.cells[0].run_id).unlink()

    assert "has no artifact 'trajectories.jsonl'" in failed(stored_sweep)["trajectories"]


def test_cut_trajectories_fail(fetched_sweep: Any) -> None:
    path = fetched_sweep.trajectories
    path.write_text(json.dumps({"a": 1}) + '\n{"question_id": "que', encoding="utf-8")

    problem = failed_in(fetched_sweep.record)["trajectories"]
    assert problem.startswith("trajectories.jsonl of run ")
    assert "damaged: line 2: not JSON" in problem


def _set_actions(strategy: str, price: float, actions: list[str]) -> Callable[[Any], None]:
    def edit(content: dict[str, Any]) -> None:
        for cell in content["cells"]:
            if cell["strategy"] == strategy and cell["retrieval_cost"] == price:
                for row in cell["questions"]:
                    row["actions"] = actions

    return edit


@pytest.mark.parametrize(
    ("strategy", "price", "check"),
    [
        ("random", 0.02, "Graph 1.B: always_retrieve on top"),
        ("always_reason", 0.2, "Graph 1.B: always_reason at zero"),
        ("argo", 0.2, "Graph 1.B: argo falls with the price"),
    ],
)
def test_graph_1b_of_another_shape_fails(
    fetched_sweep: Any, strategy: str, price: float, check: str
) -> None:
    fetched_sweep.edit_results(_set_actions(strategy, price, ["retrieve"] * 5))

    assert "5.000" in failed_in(fetched_sweep.record)[check]
