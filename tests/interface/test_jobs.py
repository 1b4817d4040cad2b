"""The Python interface with the scripted model, the real embedder and a real MLflow store."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from builders import owned_runs, small_study
from builders.places import linked_cache
from builders.recorded_outcomes import open_line, write
from matplotlib.figure import Figure
from mlflow import MlflowClient

import argo_ml
from argo_ml.config import SweepSpec, build
from argo_ml.interface.returned import SweepResult
from argo_ml.policies.base import Decision, State
from argo_ml.progress import EPISODES
from argo_ml.tracking.runs import KIND
from argo_ml.types import Action, StopReason

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("quick_figures_of_module", "quick_figures"),
]


@dataclass(frozen=True)
class OnlyCapitals:
    """Retrieves once for questions about capitals."""

    word: str = "capital"

    def decide(self, state: State, rng: random.Random) -> Decision:
        if not state.steps and self.word in state.question.text:
            return Decision(Action.RETRIEVE)
        return Decision(Action.STOP, StopReason.POLICY)


@pytest.fixture(scope="module")
def options(
    warm_cache: Path, empty_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("from-python")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    (folder / "mlflow.db").write_bytes(empty_store.read_bytes())
    given = {**small_study.write(folder), "tracking_uri": uri}
    given["cache_dir"] = str(linked_cache(warm_cache, folder / "cache"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield given


@pytest.fixture(scope="module")
def swept(options: dict[str, Any]) -> SweepResult:
    own = {"strategies": ["never", "single", OnlyCapitals()], "retrieval_costs": [0.05, 0.2]}
    return argo_ml.sweep(**{**options, **own, "n_prices": None})


def test_a_frame_has_a_row_per_question_strategy_and_price(swept: SweepResult) -> None:
    frame = swept.to_frame()
    assert len(frame) == 8 * 3 * 2
    assert not frame.duplicated(["question_id", "strategy", "retrieval_cost"]).any()
    own = frame[(frame.strategy == "only_capitals") & (frame.retrieval_cost == 0.2)]
    assert sorted(own.retrievals) == [0, 0, 0, 0, 1, 1, 1, 1]
    assert own.utility.mean() == pytest.approx(own.correct.mean() - 0.2 * 0.5)


def test_the_frame_of_cells_agrees_with_that_of_questions(swept: SweepResult) -> None:
    cells = swept.to_frame(per="cell")
    means = swept.to_frame().groupby(["strategy", "retrieval_cost"]).correct.mean()
    assert len(cells) == 6
    for cell in cells.itertuples():
        assert cell.accuracy == pytest.approx(means[cell.strategy, cell.retrieval_cost])


def test_figures_are_those_of_the_report_by_name(swept: SweepResult) -> None:
    assert isinstance(swept.figure("price_utility"), Figure)
    assert isinstance(swept.figure("graph_1a"), Figure)
    with pytest.raises(argo_ml.ArgoError, match="figure 'graph_1' is unknown; did you mean"):
        swept.figure("graph_1")


def test_a_notebook_shows_answer_and_cells_as_text(swept: SweepResult) -> None:
    shown = swept._repr_html_()
    assert shown.count("<tr>") == 1 + 6
    assert "only_capitals" in shown
    assert swept.run_id in shown
    assert swept.answer.splitlines()[0].partition("<")[0] in shown


def test_a_finished_sweep_is_loaded_by_its_run(swept: SweepResult, options: dict[str, Any]) -> None:
    loaded = argo_ml.load_results(swept.run_id, tracking_uri=options["tracking_uri"])
    assert loaded.to_frame().equals(swept.to_frame())
    assert loaded.answer == swept.answer


def test_a_run_that_has_not_finished_says_how_to_go_on(
    swept: SweepResult, options: dict[str, Any]
) -> None:
    client = MlflowClient(options["tracking_uri"])
    experiment_id = client.get_run(swept.run_id).info.experiment_id
    run_id = client.create_run(experiment_id, tags={KIND: "calibration"}).info.run_id
    client.set_terminated(run_id, "FAILED")

    with pytest.raises(argo_ml.ArgoError, match="it is FAILED; give the same command again"):
        argo_ml.load_results(run_id, tracking_uri=options["tracking_uri"])


def test_a_run_that_another_process_is_at_work_on_is_waited_for(options: dict[str, Any]) -> None:
    uri = options["tracking_uri"]
    with (
        owned_runs.living(uri, "argo_ml", {KIND: "calibration"}) as (process, run_id, _),
        pytest.raises(argo_ml.ArgoError, match=rf"being run by .*{process.pid}.*wait for it"),
    ):
        argo_ml.load_results(run_id, tracking_uri=uri)


def test_progress_is_told(options: dict[str, Any]) -> None:
    counts: list[tuple[str, int, int]] = []
    argo_ml.sweep(
        **{**options, "strategies": "never"}, progress=lambda *count: counts.append(count)
    )
    assert [count for count in counts if count[0] == EPISODES][-1] == (EPISODES, 16, 16)


def test_options_win_over_a_spec(options: dict[str, Any]) -> None:
    estimated = argo_ml.estimate(build(SweepSpec, options), strategies=["never"])
    frame = estimated.to_frame()
    assert (frame.n_cells[0], frame.n_questions[0]) == (2, 8)
    assert estimated.estimate.lines[0] in estimated._repr_html_().replace("&#x27;", "'")


def test_recorded_outcomes_are_replayed(options: dict[str, Any], tmp_path: Path) -> None:
    path = write(tmp_path / "outcomes.jsonl", map(open_line, range(60)))
    replayed = argo_ml.replay(
        outcomes=str(path),
        policies=["never", "single", "oracle"],
        retrieval_costs=[0.1],
        cache_dir=options["cache_dir"],
        tracking_uri=options["tracking_uri"],
    )
    frame = replayed.to_frame(per="cell").set_index("strategy")
    assert list(frame.index) == ["never", "single", "oracle"]
    assert frame.utility["oracle"] >= max(frame.utility["never"], frame.utility["single"])


def test_a_policy_that_decides_nothing_is_named(options: dict[str, Any]) -> None:
    class Undecided:
        def decide(self, state: State, rng: random.Random) -> None:
            return None

    with pytest.raises(argo_ml.ArgoError, match=r"Undecided.decide returned None; return a Dec"):
        argo_ml.sweep(**{**options, "strategies": ["never", Undecided()]})


def test_nothing_is_printed(options: dict[str, Any]) -> None:
    script = "import json, sys, argo_ml; argo_ml.sweep(**json.load(sys.stdin))"
    given = json.dumps({**options, "strategies": "never,single", "traces": "20"})
    done = subprocess.run(
        [sys.executable, "-c", script], input=given, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")
