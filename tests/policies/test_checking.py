from __future__ import annotations

import pytest

from argo_ml.config import StudySpec, SweepSpec, build
from argo_ml.errors import ConfigError
from argo_ml.policies import check_strategies
from argo_ml.policies.checking import check_calibrated


def check(**values: str) -> None:
    spec = build(SweepSpec, values)
    check_strategies(spec.strategies, spec)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"strategies": "argo,agro"}, r"strategy='agro' is unknown; did you mean 'argo'\?"),
        ({"strategies": ","}, "strategies is empty; known: argo"),
        (
            {"strategies": "fixed_threshold", "theta_cont": "0.2"},
            "strategy fixed_threshold needs theta_cont and theta_star",
        ),
        ({"strategies": "argo_fitted"}, "argo_fitted needs calibration=RUN_ID; make one"),
        ({"progress": "measured"}, "progress=measured needs calibration=RUN_ID"),
        ({"gains": "measured"}, "gains=measured needs calibration=RUN_ID"),
    ],
)
def test_what_no_policy_can_be_made_of_is_refused(values: dict[str, str], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        check(**values)


def test_everything_else_is_accepted() -> None:
    check()
    check(strategies="never,fixed_threshold", theta_cont="0.2", theta_star="0.4")
    check(strategies="argo_fitted", calibration="run", progress="measured")


TOKEN_PRICES = {"value_of_correct": "1", "price_per_1m_prompt_tokens": "3"}


def test_what_decides_by_measured_prices_needs_a_calibration_and_the_ceiling_does_not() -> None:
    with pytest.raises(ConfigError, match="strategy argo decides by what steps cost, which is mea"):
        check(strategies="argo", price_per_retrieval="0.1", **TOKEN_PRICES)
    check(strategies="never,single,oracle", price_per_retrieval="0.1", **TOKEN_PRICES)


def test_a_study_that_lacks_its_calibration_is_refused() -> None:
    with pytest.raises(ConfigError, match="progress=measured needs calibration=RUN_ID"):
        check_calibrated(["argo"], build(StudySpec, {"progress": "measured"}))
    with pytest.raises(ConfigError, match="strategy argo_fitted needs calibration=RUN_ID"):
        check_calibrated(["argo_fitted"], build(StudySpec, {}))
    check_calibrated(["argo_fitted"], build(StudySpec, {"calibration": "run"}))
