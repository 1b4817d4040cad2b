"""Recorded outcomes in, what every policy would have decided out; no language model is asked."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from argo_ml.calibration.record import Calibration
from argo_ml.config import ReplaySpec
from argo_ml.policies.checking import check_parameters
from argo_ml.progress import OnProgress, ignore_progress
from argo_ml.replay.calibrating import ReplayState, calibrate_on_records, make_replay_state
from argo_ml.replay.charging import Charging, check_usage_recorded
from argo_ml.replay.deciding import DecidedCell, Learned, decide_all, is_decided_at_once
from argo_ml.replay.needs import (
    check_kept_parameters,
    choose_policies,
    given_score,
    replay_needs,
)
from argo_ml.replay.question_vectors import embedder_of, question_vectors
from argo_ml.replay.recorded import Reach, common_reach
from argo_ml.replay.splitting import Parts, read_parts
from argo_ml.types import Question

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Replay:
    """``calibrating`` are the questions that ``learned`` is from.

    ``cells`` are by policy, then by price, each of all tested questions.
    """

    calibrating: tuple[ReplayState, ...]
    tested: tuple[ReplayState, ...]
    learned: Learned
    cells: tuple[DecidedCell, ...]

    @property
    def calibration(self) -> Calibration:
        """What was learned of the state before the first step."""
        return self.learned.at_once

    @property
    def questions(self) -> tuple[Question, ...]:
        """The questions tested on."""
        return tuple(state.recorded.question for state in self.tested)


def replay(
    spec: ReplaySpec, on_progress: OnProgress = ignore_progress, parts: Parts | None = None
) -> Replay:
    """Calibrate on one part of the questions and decide about the other.

    ``parts`` are those of the spec where they have been read. Raises `DataError` naming line and
    field of what cannot be used.
    """
    parts = parts or read_parts(spec)
    reach = _reach(spec, parts)
    policies = choose_policies(
        spec.policies, parts, given_score(spec), reach.n_steps, spec.guarantee
    )
    check_parameters(policies, spec, "policies")
    check_kept_parameters(spec)
    check_usage_recorded(spec.money, parts.all)
    logger.info(
        "%d questions to calibrate on, %d to test on; policies: %s",
        len(parts.calibration),
        len(parts.test),
        ", ".join(policies),
    )
    needs = replay_needs()
    embeds = any(needs[policy].embeds for policy in policies)
    texts = [recorded.question.text for recorded in parts.all]
    vectors = question_vectors(embedder_of(spec), texts, on_progress) if embeds else {}
    common = parts.common
    is_stepwise = not all(is_decided_at_once(name, spec) for name in policies)
    common.warn(reach if is_stepwise else None)
    calibrating, tested = (
        tuple(make_replay_state(recorded, common, vectors) for recorded in part)
        for part in (parts.calibration, parts.test)
    )
    names = ("embedding_model", "query_prompt")
    named = {name: value for name in names if (value := getattr(spec, name))}
    calibration = calibrate_on_records(calibrating, tested, named)
    stepwise = (
        calibrate_on_records(calibrating, tested, named, reach, calibration)
        if is_stepwise
        else calibration
    )
    charging = Charging.of(spec, parts.calibration)
    # Of both the same questions, which need not be kept twice.
    used = {"action_usage": charging.measured, "questions": calibration.questions}
    at_once, stepwise = (own.model_copy(update=used) for own in (calibration, stepwise))
    learned = Learned(at_once, stepwise, reach.n_steps)
    cells = decide_all(policies, spec, learned, charging, tested, on_progress)
    return Replay(calibrating, tested, learned, tuple(cells))


def _reach(spec: ReplaySpec, parts: Parts) -> Reach:
    """As far as every question is recorded, unless another number of steps is asked for."""
    reach = common_reach(parts.all)
    return replace(reach, n_steps=spec.max_steps) if spec.max_steps else reach
