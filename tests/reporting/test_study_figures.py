from __future__ import annotations

import optuna
import pytest
from matplotlib.contour import ContourSet

from argo_ml.config.study import THRESHOLDS
from argo_ml.reporting.figures.study import draw_thresholds
from argo_ml.results.study import TRIAL


def trial(number: int) -> optuna.trial.FrozenTrial:
    """A trial at a place of its own in the plane of the thresholds."""
    settings = dict(zip(THRESHOLDS, (number * 0.05, (number * 7 % 11) * 0.05 + 0.3), strict=True))
    return optuna.trial.create_trial(value=0.1 * number, user_attrs={TRIAL: {"settings": settings}})


@pytest.mark.parametrize(("n_trials", "has_contours"), [(9, False), (10, True)])
def test_contours_need_ten_points(n_trials: int, has_contours: bool) -> None:
    trials = [trial(number) for number in range(n_trials)]

    axes = draw_thresholds(trials, "utility", optuna.study.StudyDirection.MAXIMIZE).axes[0]

    assert any(isinstance(drawn, ContourSet) for drawn in axes.collections) is has_contours
    assert ("no contours, which need 10 points" in axes.get_title()) is not has_contours
