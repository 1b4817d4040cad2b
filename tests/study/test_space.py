from __future__ import annotations

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_ml.config import StudySpec, build
from argo_ml.errors import ConfigError
from argo_ml.study.space import SearchSpace, check_searchable

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
    ],
)
def test_what_cannot_be_searched_is_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_searchable(spec(**values))
