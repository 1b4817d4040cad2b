"""Calibrations with the scripted model, the real embedder and real MLflow stores."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from builders import small_study
from builders.places import linked_cache
from mlflow import MlflowClient

from argo_ml.calibration import Calibration
from argo_ml.calibration.record import Projection
from argo_ml.cli.commands import execute
from argo_ml.config import (
    AnswerSpec,
    CalibrateSpec,
    ExperimentSpec,
    MoneyFields,
    SweepSpec,
    build,
)
from argo_ml.corpus import opening
from argo_ml.errors import ConfigError, DataError, TrackingError
from argo_ml.exploring.calibrate import Calibrated, run_calibration
from argo_ml.progress import EPISODES, QUESTIONS
from argo_ml.sweep.answer import answer_question, with_sources_of_calibration
from argo_ml.sweep.calibration_source import check_judged, check_usable, open_calibration
from argo_ml.sweep.context import LocalContext
from argo_ml.sweep.running import run_sweep
from argo_ml.tracking.runs import BATCH_TOKENS, NOTE, WARNING
from argo_ml.types import Action
from argo_ml.verification.verify import verify_sweep

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("quick_figures_of_module", "quick_figures"),
]

ADAPTIVE = "never,single,argo,argo_calibrated,argo_fitted,oracle"


SHORT_OF_MEMORY = "out of memory with a batch of 8192 tokens; going on with half"


@dataclass(frozen=True)
class Made:
    """A calibration in a store of its own, and the parameters of a sweep beside it."""

    common: dict[str, str]
    found: Calibrated

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.common["tracking_uri"])

    def sweep_spec(self, **values: object) -> SweepSpec:
        base = {**self.common, "split": "test", "calibration": self.found.run_id}
        return build(SweepSpec, {**base, "n_prices": 2, "strategies": ADAPTIVE, **values})


@pytest.fixture(scope="module")
def made(
    warm_cache: Path, empty_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("calibrated")
    common = parameters(folder, warm_cache, empty_store)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with pytest.MonkeyPatch.context() as short_of_memory:
            short_of_memory.setattr(LocalContext, "events", property(lambda _: (SHORT_OF_MEMORY,)))
            short_of_memory.setattr(LocalContext, "batch_tokens", property(lambda _: 4096))
            found = run_calibration(build(CalibrateSpec, common))
        yield Made(common, found)


def parameters(
    folder: Path, warm_cache: Path, empty_store: Path, with_choices: bool = True
) -> dict[str, str]:
    """Of a calibration, and of a sweep beside it, with sources and a store in ``folder``."""
    shutil.copyfile(empty_store, folder / "mlflow.db")
    sources = small_study.write(folder, n_more_countries=60, with_choices=with_choices)
    wanted = ("dataset", "questions", "documents", "model", "max_new_tokens")
    return {
        **{name: sources[name] for name in wanted},
        "cache_dir": str(linked_cache(warm_cache, folder / "cache")),
        "tracking_uri": f"sqlite:///{folder / 'mlflow.db'}",
        "max_steps": "2",
        "n_questions": "12",
        "difficulty": "all",
        "min_similarity": "-1",
    }


def test_how_large_batches_were_and_what_memory_did_stay_on_the_run(made: Made) -> None:
    tags = made.client.get_run(made.found.run_id).data.tags
    assert tags[BATCH_TOKENS] == "4096"
    assert SHORT_OF_MEMORY in tags[WARNING].splitlines()


def test_every_question_is_explored_along_both_constant_plans(made: Made) -> None:
    calibration = made.found.calibration
    assert (len(calibration.questions), calibration.horizon) == (12, 2)
    for index in range(12):
        actions = {node.actions for node in calibration.nodes if node.question == index}
        for action in (Action.RETRIEVE.value, Action.REASON.value):
            assert {(), (action,), (action, action)} <= actions


def test_outcomes_are_those_of_the_states_that_the_plans_end_in(made: Made) -> None:
    calibration = made.found.calibration
    correct = {(node.question, node.actions): node.correct for node in calibration.nodes}
    for index, question in enumerate(calibration.questions):
        assert question.outcomes["none"] == correct[index, ()]
        assert question.outcomes["retrieve"] == correct[index, ("retrieve",)]
        assert question.outcomes["retrieve_3"] == question.outcomes["retrieve"]
        assert question.outcomes["multi"] == correct[index, ("retrieve",) * 2]
        assert {"retrieve_1", "retrieve_5"} <= question.outcomes.keys()


def test_the_first_questions_count_as_finished_once_all_their_plans_are(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where all shards run together."""
    monkeypatch.setattr(LocalContext, "requests_at_once", lambda self: 1000)
    told: dict[str, list[int]] = {EPISODES: [], QUESTIONS: []}

    def tell(unit: str, n_finished: int, n_total: int) -> None:
        told.setdefault(unit, []).append(n_finished)

    run_calibration(build(CalibrateSpec, {**made.common, "shard_size": "5"}), tell)

    assert set(told[QUESTIONS]) <= {0, 5, 10, 12}
    assert told[QUESTIONS] == sorted(told[QUESTIONS])
    assert told[QUESTIONS][-1] == 12
    assert max(told[EPISODES]) > 12


def test_random_plans_differ_until_everything_was_explored(made: Made) -> None:
    spec = build(CalibrateSpec, {**made.common, "explorations": 9})
    nodes = run_calibration(spec).calibration.nodes
    # 1 + 2 + 4 histories of at most two steps, of each of 12 questions.
    assert len(nodes) == len({(node.question, node.actions) for node in nodes}) == 12 * 7


def test_the_run_keeps_everything(made: Made, tmp_path: Path) -> None:
    run = made.client.get_run(made.found.run_id)
    assert (run.info.status, run.data.tags["argo.kind"]) == ("FINISHED", "calibration")
    assert run.data.metrics["n_questions"] == 12
    assert run.data.metrics["lm_calls_paid_total"] > 0
    assert run.data.metrics["p_s"] == 1.0
    names = {item.path for item in made.client.list_artifacts(made.found.run_id)}
    assert {"calibration.json", "trajectories.jsonl", "spec.yaml"} <= names
    assert "figures" not in names
    assert "n_questions=12: no reliability diagram" in run.data.tags["argo.warning"]
    path = made.client.download_artifacts(made.found.run_id, "calibration.json", str(tmp_path))
    stored = Calibration.model_validate_json(Path(path).read_text())
    assert stored == made.found.calibration
    assert stored.digest == made.found.calibration.digest


def test_a_second_calibration_asks_no_model_and_finds_the_same(made: Made) -> None:
    again = run_calibration(build(CalibrateSpec, made.common))
    assert again.metrics["lm_calls_paid_total"] == 0
    assert again.calibration.digest == made.found.calibration.digest


def test_a_sweep_acts_by_it_and_agrees_with_itself(made: Made) -> None:
    results = run_sweep(made.sweep_spec())
    assert results.digests["calibration_digest"] == made.found.calibration.digest
    for cell in results.row("argo_fitted"):
        for row in cell.questions:
            assert row.decisions[-1].action == "stop"
            assert len(row.decisions) == len(row.actions) + 1
            assert row.probe_calls == len(row.actions)
    failed = [
        verdict
        for verdict in verify_sweep(results.sweep_id, made.common["tracking_uri"], "argo_ml")
        if verdict.has_failed
    ]
    assert failed == []


def test_other_prices_cost_no_call(made: Made) -> None:
    """Every action sequence to the horizon is known once the oracle has tried it."""
    run_sweep(made.sweep_spec(oracle_steps=2))
    strategies = "argo_calibrated,argo_fitted,oracle"
    prices = "0.003,0.07,0.31"
    again = run_sweep(made.sweep_spec(strategies=strategies, retrieval_costs=prices))
    assert sum(row.lm_calls_paid for cell in again.cells for row in cell.questions) == 0


def test_measured_progress_and_gains_change_what_argo_does(made: Made) -> None:
    by_count = run_sweep(made.sweep_spec(strategies="argo"))
    measured = run_sweep(made.sweep_spec(strategies="argo", progress="measured", gains="measured"))
    assert {cell.cell_id for cell in by_count.cells}.isdisjoint(
        cell.cell_id for cell in measured.cells
    )
    gains = made.found.calibration.gains
    for cell in measured.cells:
        assert cell.policy.states != by_count.cells[0].policy.states
        assert all(row.probe_calls == len(row.actions) for row in cell.questions)
    assert gains["delta_r"].low <= gains["delta_r"].mean <= gains["delta_r"].high


def test_cells_that_do_not_act_by_it_keep_their_identity(made: Made) -> None:
    with_it = run_sweep(made.sweep_spec(strategies="argo"))
    without = run_sweep(made.sweep_spec(strategies="argo", calibration=""))
    assert [cell.cell_id for cell in with_it.cells] == [cell.cell_id for cell in without.cells]


def test_open_questions_are_judged_by_the_tokens_of_their_answers(
    tmp_path: Path, warm_cache: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    common = parameters(tmp_path, warm_cache, empty_store, with_choices=False)
    made = Made(common, run_calibration(build(CalibrateSpec, common)))
    for question in made.found.calibration.questions:
        assert question.answer.tokens and not question.answer.probabilities
        assert question.draft is not None and len(question.draft.tokens) > 0
        assert len(question.samples) == 3
    gates = "entropy_gate,variance_gate,flare,max_prob_gate,argo_fitted,never,single"
    results = run_sweep(made.sweep_spec(strategies=gates))
    samples = {cell.strategy: cell.metrics["sample_calls"] for cell in results.cells}
    assert samples == {**dict.fromkeys(gates.split(","), 0.0), "variance_gate": 3.0}
    verdicts = verify_sweep(results.sweep_id, common["tracking_uri"], "argo_ml")
    assert [verdict for verdict in verdicts if verdict.has_failed] == []


def test_a_calibration_file_does_as_well_as_its_run(made: Made, tmp_path: Path) -> None:
    (tmp_path / "calibration.json").write_text(made.found.calibration.model_dump_json())
    for given in (tmp_path, tmp_path / "calibration.json"):
        spec = made.sweep_spec(calibration=str(given))
        assert open_calibration(spec) == made.found.calibration


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("model_digest", "another model"),
        ("corpus_digest", "another corpus"),
        ("prompts_digest", "another version of the prompts"),
    ],
)
def test_one_made_with_something_else_is_refused(made: Made, key: str, reason: str) -> None:
    calibration = made.found.calibration
    digests = {**calibration.digests, key: "else"}
    with pytest.raises(ConfigError, match=f"was made with {reason}"):
        check_usable(calibration, made.sweep_spec(), digests)


def test_other_documents_are_refused_before_they_are_embedded(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other.txt").write_text("Something else altogether.")
    monkeypatch.setattr(opening, "open_or_build", pytest.fail)
    with pytest.raises(ConfigError, match="was made with another corpus"):
        run_sweep(made.sweep_spec(documents=str(tmp_path)))


def test_one_made_with_other_settings_is_refused(made: Made) -> None:
    calibration = made.found.calibration
    with pytest.raises(ConfigError, match="was made with top_k=3, here 4"):
        check_usable(calibration, made.sweep_spec(top_k=4), calibration.digests)


def test_one_without_hidden_states_is_refused_where_they_are_to_be_read(made: Made) -> None:
    calibration, spec = made.found.calibration, made.sweep_spec()
    reading = spec.model_copy(update={"hidden_states": True})
    with pytest.raises(ConfigError, match=r"has no hidden states; make one with argo-ml calibrate"):
        check_usable(calibration, reading, calibration.digests)


def test_one_with_hidden_states_is_refused_where_nobody_asks_for_them(made: Made) -> None:
    projection = Projection(mean=(0.0,), components=((1.0,),))
    calibration = made.found.calibration.model_copy(update={"state_projection": projection})
    with pytest.raises(ConfigError, match=r"with hidden_states=true; give hidden_states=true here"):
        check_usable(calibration, made.sweep_spec(), calibration.digests)


def test_one_judged_by_another_scorer_is_refused(made: Made) -> None:
    calibration = made.found.calibration
    with pytest.raises(ConfigError, match="was made with scorer=auto, here exact"):
        check_judged(calibration, made.sweep_spec(scorer="exact"), ())


def test_one_of_an_earlier_version_was_judged_by_auto(made: Made) -> None:
    spec = {name: value for name, value in made.found.calibration.spec.items() if name != "scorer"}
    calibration = made.found.calibration.model_copy(update={"spec": spec})
    check_judged(calibration, made.sweep_spec(), ())


def test_one_made_on_the_same_questions_is_refused(made: Made) -> None:
    with pytest.raises(ConfigError, match=r"split=calibration shares 12 questions .* such as"):
        run_sweep(made.sweep_spec(split="calibration"))


def test_one_made_with_other_features_is_refused(made: Made) -> None:
    calibration = made.found.calibration.model_copy(update={"feature_names": ("other",)})
    with pytest.raises(ConfigError, match="other features"):
        check_usable(calibration, made.sweep_spec(), calibration.digests)


def test_a_name_that_is_none_says_what_would_work(made: Made, tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="nowhere"):
        run_sweep(made.sweep_spec(calibration="nowhere"))
    broken = tmp_path / "calibration.json"
    broken.write_text(json.dumps({"schema_version": 1}))
    with pytest.raises(ConfigError, match="give the run id of argo-ml calibrate"):
        run_sweep(made.sweep_spec(calibration=str(broken)))


def test_strategies_that_need_one_say_so() -> None:
    with pytest.raises(ConfigError, match="strategy argo_fitted needs calibration=RUN_ID"):
        run_sweep(build(SweepSpec, {"strategies": "argo,argo_fitted"}))
    with pytest.raises(ConfigError, match="progress=measured needs calibration"):
        run_sweep(build(SweepSpec, {"progress": "measured"}))


def test_a_calibration_does_not_build_on_another() -> None:
    with pytest.raises(ConfigError, match="parameter 'calibration' is unknown"):
        build(CalibrateSpec, {"calibration": "run"})


def test_a_calibration_says_of_everything_that_cells_share_what_it_was_made_for(made: Made) -> None:
    stored = made.found.calibration.spec

    left_out = {"engine", *MoneyFields.model_fields}
    shared = [name for name in ExperimentSpec().model_dump() if name not in left_out]
    assert list(stored) == [*shared, "explorations"]
    assert (stored["max_steps"], stored["max_new_tokens"], stored["theta_cont"]) == (2, 4, None)


def test_a_question_of_the_users_own_has_no_difficulty_to_warn_of(
    made: Made, caplog: pytest.LogCaptureFixture
) -> None:
    fields = AnswerSpec.model_fields
    shared = {name: value for name, value in made.common.items() if name in fields}
    asked = {**shared, "question": "What is it?", "calibration": made.found.run_id}

    answered = answer_question(build(AnswerSpec, asked).cell(), "What is it?")

    assert answered.strategy == "argo"
    assert "difficulty" not in caplog.text


@pytest.mark.parametrize("as_file", [False, True])
def test_an_answer_takes_model_and_documents_from_its_calibration(
    made: Made, tmp_path: Path, as_file: bool
) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(made.found.calibration.model_dump_json())
    where = {name: made.common[name] for name in ("cache_dir", "tracking_uri")}
    calibration = str(path) if as_file else made.found.run_id
    asked = {**where, "calibration": calibration, "question": "What is it?"}

    spec = with_sources_of_calibration(build(AnswerSpec, {**asked, "strategy": "argo_fitted"}))

    assert (spec.dataset, spec.model) == ("jsonl", made.common["model"])
    assert spec.documents == made.common["documents"]
    assert (spec.max_new_tokens, spec.strategy) == (4, "argo_fitted")
    answered = answer_question(spec.cell(), "What is it?")
    assert answered.strategy == "argo_fitted"


def test_fewer_than_ten_questions_are_an_error_and_fewer_than_fifty_a_warning(
    made: Made, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(DataError, match="n_questions=9: a calibration needs at least 10"):
        run_calibration(build(CalibrateSpec, {**made.common, "n_questions": "9"}))
    run_calibration(build(CalibrateSpec, {**made.common, "n_questions": "10"}))
    assert "10 questions calibrate: accuracy without any step is only known to lie" in caplog.text


def test_what_is_explored_of_another_split_says_so(made: Made, tmp_path: Path) -> None:
    values = {**made.common, "split": "test", "n_questions": "10"}
    found = run_calibration(build(CalibrateSpec, values))
    path = made.client.download_artifacts(found.run_id, "outcomes.jsonl", str(tmp_path))
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["split"] for line in lines] == ["test"] * 10


def test_a_question_that_is_too_long_is_left_out_and_named(
    warm_cache: Path, empty_store: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    common = parameters(tmp_path, warm_cache, empty_store)
    ids = [f"Land{number}-{kind}" for number in range(60) for kind in ("capital", "currency")]
    small_study.lengthen(common, *ids[::9])

    with pytest.raises(DataError, match=r"max_unanswered=0.01: of 128 questions \d+ cannot be"):
        run_calibration(build(CalibrateSpec, {**common, "split": "all", "n_questions": "128"}))
    wider = {**common, "split": "all", "n_questions": "128", "max_unanswered": "0.5"}
    found = run_calibration(build(CalibrateSpec, wider))

    assert len(found.calibration.questions) == 128 - 14
    assert found.metrics["unanswered"] == pytest.approx(14 / 128)
    concern = "of 128 questions 14 could not be asked"
    assert concern in caplog.text
    note = MlflowClient(common["tracking_uri"]).get_run(found.run_id).data.tags[NOTE]
    assert f"**Warning:** {concern}" in note


def test_the_command_prints_how_to_use_it(
    made: Made, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    options = [part for name, value in made.common.items() for part in (f"--{name}", value)]
    assert execute(["calibrate", *options]) == 0
    printed = capsys.readouterr().out
    assert "calibration of 12 questions" in printed
    assert "use it: argo-ml sweep --calibration" in printed
