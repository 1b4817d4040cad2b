from __future__ import annotations

import math

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_ml.config import StudySpec, build
from argo_ml.errors import ConfigError
from argo_ml.mdp.process import solve
from argo_ml.study.search import seeds
from argo_ml.study.space import SearchSpace, cell_spec, check_searchable
from argo_ml.sweep.cells import cell_process
from argo_ml.testing.calibrations import World

FIXED = {"max_steps_range": 20, "top_k_range": 3, "min_similarity_range": 0.3}
unit = st.floats(0, 1, allow_nan=False)


def spec(**values: object) -> StudySpec:
    return build(StudySpec, values)


def drawn(space: SearchSpace, parameters: dict[str, float]) -> dict[str, float]:
    """The settings of a trial with these parameters."""
    study = optuna.create_study()
    study.enqueue_trial(parameters)
    return space.settings(study.ask())


def test_a_study_searches_depth_retrieval_and_the_strategys_thresholds() -> None:
    assert SearchSpace(spec()).parameters == (
        "max_steps",
        "top_k",
        "min_similarity",
        "theta_star",
        "theta_cont_position",
    )


def test_a_strategy_without_a_space_of_its_own_searches_the_depth_alone() -> None:
    space = SearchSpace(spec(strategy="argo", delta_r_range="0.1,0.5"))
    assert space.parameters == ("max_steps", "top_k", "min_similarity", "delta_r")


def test_a_single_value_is_not_searched_and_still_set() -> None:
    space = SearchSpace(spec(top_k_range="4"))
    assert "top_k" not in space.parameters
    assert drawn(space, {})["top_k"] == 4


def test_nothing_to_search_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"nothing to search for strategy argo: .*max_steps_range"
    ):
        SearchSpace(spec(strategy="argo", **FIXED))


@given(star=unit, cont=unit)
def test_theta_cont_never_exceeds_theta_star(star: float, cont: float) -> None:
    settings = drawn(SearchSpace(spec()), {"theta_star": star, "theta_cont_position": cont})
    assert settings["theta_cont"] <= settings["theta_star"]


@given(pair=st.tuples(st.integers(0, 100), st.integers(0, 100)))
def test_known_settings_come_back_from_their_parameters(pair: tuple[int, int]) -> None:
    cont, star = (value / 100 for value in sorted(pair))
    known = {"max_steps": 7, "top_k": 2, "min_similarity": 0.35}
    known |= {"theta_cont": cont, "theta_star": star}
    space = SearchSpace(spec())
    encoded = space.encode(known)
    assert encoded is not None
    assert drawn(space, encoded) == pytest.approx(known, abs=1e-6)


def test_settings_outside_a_range_have_no_parameters() -> None:
    known = {"max_steps": 30, "top_k": 2, "min_similarity": 0.3, "theta_cont": 0, "theta_star": 1}
    assert SearchSpace(spec()).encode(known) is None


def test_reasoning_alone_is_drawn_at_one_position_in_ten() -> None:
    space = SearchSpace(spec())
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    settings = [space.settings(study.ask()) for _ in range(200)]
    reasoning = [own for own in settings if own["theta_cont"] == 0.0 < own["theta_star"]]
    assert 10 <= len(reasoning) <= 30


def test_a_plan_of_thoughts_alone_is_found() -> None:
    """Two thoughts are worth most, and every reading costs more than it can bring."""
    space = SearchSpace(spec())
    sampler = optuna.samplers.TPESampler(seed=1, multivariate=True)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for point in seeds(spec(), space):
        study.enqueue_trial(point)

    def value(trial: optuna.Trial) -> float:
        settings = space.settings(trial)
        n_readings = math.ceil(settings["theta_cont"] / 0.25)
        n_thoughts = math.ceil(max(0.0, settings["theta_star"] - 0.25 * n_readings) / 0.08)
        return (n_thoughts >= 2) - 0.3 * n_readings - 0.02 * n_thoughts

    study.optimize(value, n_trials=60)
    assert study.best_value == pytest.approx(1 - 2 * 0.02, abs=0.021)


@pytest.mark.parametrize(
    ("ranges", "settings"),
    [
        ({"top_k_range": "5"}, {"top_k": 5}),
        ({"max_steps_range": "1,5"}, {"max_steps": 5}),
        ({"min_similarity_range": "0.4"}, {"min_similarity": 0.4}),
        ({"min_similarity_range": "0,0.14", "min_similarity": 0.13}, {"min_similarity": 0.1}),
        ({"min_similarity": 0.8}, {"min_similarity": 0.6}),
        ({"policy_mu_range": "0,2"}, {"policy_mu": 1.0}),
        ({"delta_r_range": "0.1,0.2"}, {"delta_r": 0.2}),
    ],
)
def test_known_settings_are_moved_into_the_ranges(
    ranges: dict[str, object], settings: dict[str, float]
) -> None:
    space = SearchSpace(spec(**ranges))
    known = seeds(spec(**ranges), space)
    assert len(known) == len(seeds(spec(), SearchSpace(spec())))
    for point in known:
        assert drawn(space, point).items() >= settings.items()


def test_a_strategy_that_decides_by_mu_begins_with_its_own() -> None:
    own = spec(strategy="argo", policy_mu_range="0,2", mu=0.5)
    [point] = seeds(own, SearchSpace(own))
    assert point["policy_mu"] == 0.5


def test_it_begins_with_thresholds_of_the_gains_that_trials_advance_by() -> None:
    own = spec(calibration="ID", gains="measured")
    calibration = World(n_questions=40).calibration
    space = SearchSpace(own)
    process = cell_process(cell_spec(own, {}), calibration)
    solved = solve(process)
    assert process.gains != cell_process(cell_spec(own, {}), None).gains

    known = [drawn(space, point) for point in seeds(own, space, calibration)]

    pairs = [(point["theta_cont"], point["theta_star"]) for point in known]
    assert pytest.approx((solved.theta_cont, solved.theta_star), abs=0.01) in pairs


def test_ranges_of_thresholds_that_hold_no_known_ones_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    own = spec(theta_star_range="0.31,0.33")
    assert seeds(own, SearchSpace(own)) == []
    assert "all known settings lie outside the ranges searched" in caplog.text


@given(known=unit, low=st.integers(0, 50), width=st.integers(1, 50))
def test_a_known_similarity_is_one_that_can_be_drawn(known: float, low: int, width: int) -> None:
    first, last = low / 100, (low + width) / 100
    space = SearchSpace(spec(min_similarity_range=f"{first},{last}"))
    study = optuna.create_study()
    study.enqueue_trial({"min_similarity": space.nearest("min_similarity", known)})
    trial = study.ask()
    value = space.settings(trial)["min_similarity"]
    assert first <= value <= last
    distribution = trial.distributions["min_similarity"]
    assert distribution._contains(trial.params["min_similarity"])
    assert study.trials[0].params["min_similarity"] == pytest.approx(value)


def test_gains_that_make_too_many_states_are_not_drawn() -> None:
    own = spec(strategy="argo", delta_r_range="0.001,0.05", delta_p_range="0.001,0.05")
    settings = drawn(SearchSpace(own), {"delta_r": 0.003365, "delta_p": 0.0098})
    assert (settings["delta_r"], settings["delta_p"]) == (0.003, 0.01)
    assert cell_spec(own, settings).delta_r == 0.003


def test_settings_that_no_cell_takes_are_one_line() -> None:
    with pytest.raises(ConfigError, match=r"delta_r=0.003365, delta_p=0.0098: more than"):
        cell_spec(spec(strategy="argo"), {"delta_r": 0.003365, "delta_p": 0.0098})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"top_k_range": "5,1"}, r"top_k_range=5,1 is upside down; give 1,5"),
        ({"max_steps_range": "0,5"}, r"max_steps_range=0,5 must be within 1,inf"),
        ({"theta_star_range": "0,2"}, r"theta_star_range=0,2 must be within 0,1"),
        ({"top_k_range": "1,2.5"}, r"top_k_range=1,2.5 must be whole numbers"),
        ({"top_k_range": "1,2,3"}, r"top_k_range=1,2,3: must be low,high or a single value"),
        ({"theta_cont_range": "0.5,1"}, r"theta_cont_range begins at 0.5, above theta_star_range"),
        ({"objective": "speed"}, r"objective=speed"),
        ({"strategy": "arg0"}, r"strategy='arg0' is unknown; did you mean 'argo'"),
        ({"split": "test"}, r"split=test overlaps test_split=test"),
        ({"split": "all"}, r"split=all overlaps test_split=test"),
        ({"strategy": "argo", "retrieval_costs": "0.1,0.2"}, r"retrieval_costs=0.1,0.2: strategy"),
        (
            {"objective": "accuracy_cost", "retrieval_costs": "0.1,0.2"},
            r"retrieval_costs=0.1,0.2: objective=accuracy_cost",
        ),
        ({"retrieval_costs": []}, r"retrieval_costs is empty; give at least one price"),
        ({"strategy": "argo", "policy_mu_range": "0,inf"}, r"policy_mu_range=0,inf must be finite"),
        ({"theta_star_range": "nan,nan"}, r"theta_star_range=nan,nan must be finite numbers"),
        ({"strategy": "never"}, r"strategy=never takes no step: nothing to tune"),
        (
            {"strategy": "argo", "theta_star_range": "0.2,0.8"},
            r"theta_star_range: strategy argo has no theta_star; leave it out",
        ),
        (
            {"calibration": "ID", "gains": "measured", "delta_r_range": "0.1,0.3"},
            r"delta_r_range: gains=measured takes the calibration's delta_r; leave one out",
        ),
        ({"strategy": "argo_calibrated"}, r"argo_calibrated needs calibration=RUN_ID"),
        (
            {"guarantee": "error among answered <= 0.2"},
            r"guarantee=.*: none of strategies=fixed_threshold has a threshold",
        ),
        (
            {"strategy_parameters": "max_prob_gat.guarantee=1"},
            r"strategy_parameters names max_prob_gat, which is none of strategies=fixed_thr",
        ),
        (
            {"strategy": "argo_advantage", "strategy_parameters": "argo_advantage.reads=1"},
            r"strategy_parameters: argo_advantage.reads is unknown",
        ),
        ({"strategy": "score_gate", "calibration": "ID"}, r"score_gate decides by scores that"),
    ],
)
def test_what_cannot_be_searched_is_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_searchable(spec(**values))
