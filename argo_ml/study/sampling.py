"""Settings that depend on a trial's number and the finished trials, and on nothing else.

A worker that goes on with a study draws what the one that died would have drawn.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from argo_ml.config import StudySpec
from argo_ml.randomness import derived_rng

N_RANDOM = 10
"""Trials before TPE begins to learn, the known settings included; Optuna's own default."""


class NumberedSampler(BaseSampler):
    """A sampler of its own for every trial, which ``make`` seeds by a text.

    The text is the trial's number, and where a parameter is drawn alone its name beside it: what
    a killed worker has drawn of a trial stays, and must not shift what is drawn after it.
    """

    def __init__(self, make: Callable[[str], BaseSampler]) -> None:
        self._make = make
        self._number = -1
        self._inner: BaseSampler = RandomSampler(seed=0)

    def _at(self, trial: FrozenTrial) -> BaseSampler:
        if trial.number != self._number:
            self._number, self._inner = trial.number, self._make(str(trial.number))
        return self._inner

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._at(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._at(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        distribution: BaseDistribution,
    ) -> Any:
        alone = self._make(f"{trial.number} {param_name}")
        return alone.sample_independent(study, trial, param_name, distribution)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        self._at(trial).before_trial(study, trial)

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        self._at(trial).after_trial(study, trial, state, values)


def make_sampler(spec: StudySpec) -> BaseSampler:
    """That of the spec, alike for all workers: no two of them run a trial of one number."""
    first = spec.seed if spec.sampler_seed is None else spec.sampler_seed

    def make(text: str) -> BaseSampler:
        seed = derived_rng(first, text, "sampler").randrange(2**32)
        if spec.sampler == "random":
            return RandomSampler(seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return TPESampler(seed=seed, multivariate=True, n_startup_trials=N_RANDOM)

    return NumberedSampler(make)
