"""Which policies can be replayed, and which recorded fields each of them needs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

from argo_ml.calibration.plans import NONE, after
from argo_ml.config import Spec, suggest
from argo_ml.errors import ConfigError, DataError
from argo_ml.policies.description import RecordedSignal, ReplayNeeds
from argo_ml.policies.parameters import given_parameters
from argo_ml.policies.strategies import ALL_STRATEGIES, SCORE_GATE
from argo_ml.replay.common import Common, Record
from argo_ml.replay.recorded import RecordedQuestion, common_reach
from argo_ml.replay.splitting import Parts
from argo_ml.types import Action

Lack = Callable[[RecordedQuestion, Common], str]
"""The field of the closed-book answer that a policy needs of a question and lacks, else empty."""

NOT_KEPT: Mapping[tuple[str, str], str] = {
    ("oracle", "oracle_steps"): "the oracle takes the best of all that is recorded",
    ("graded", "abstain_below"): "no p-hat is known of its answers after a retrieval",
}
"""Parameters by policy and name that mean nothing for recorded outcomes, each with the reason."""

LEAVE_OUT = "or leave the policy out"
"""The way out that is left where a policy lacks something."""

logger = logging.getLogger(__name__)


def _nothing(recorded: RecordedQuestion, common: Common) -> str:
    return ""


def _of_draft(mean: str) -> Lack:
    """A mean over the tokens of the draft, where all have one, or probabilities of the choices."""

    def lack(recorded: RecordedQuestion, common: Common) -> str:
        is_draft = common.shows(NONE, Record.DRAFT) and not recorded.question.choices
        signals = recorded.draft if is_draft else recorded.signals
        is_known = bool(recorded.probabilities) or signals.has(mean)
        return "" if is_known else _instead(recorded, mean)

    return lack


def _samples(recorded: RecordedQuestion, common: Common) -> str:
    if recorded.question.choices:
        return _of_answer(recorded)
    return "" if recorded.samples else "samples"


def _of_answer(recorded: RecordedQuestion) -> str:
    """Probabilities of the choices, which say how draws would differ."""
    is_known = bool(recorded.probabilities) or recorded.signals.has("logprob")
    return "" if is_known else _instead(recorded, "logprob")


def _answer_margin(recorded: RecordedQuestion, common: Common) -> str:
    is_known = bool(recorded.probabilities) or recorded.signals.has("margin")
    return "" if is_known else _instead(recorded, "margin")


def _instead(recorded: RecordedQuestion, mean: str) -> str:
    """What to record: of choices their probabilities, which say more than a mean."""
    return "probabilities" if recorded.question.choices else mean


LACKS: Mapping[RecordedSignal, Lack] = {
    RecordedSignal.NOTHING: _nothing,
    RecordedSignal.DRAFT_ENTROPY: _of_draft("entropy"),
    RecordedSignal.DRAFT_MARGIN: _of_draft("margin"),
    RecordedSignal.SAMPLES: _samples,
    RecordedSignal.ANSWER: _nothing,
    RecordedSignal.CONFIDENCE: _nothing,
    RecordedSignal.ANSWER_MARGIN: _answer_margin,
    RecordedSignal.OWN_SCORE: _nothing,
}


def replay_needs() -> Mapping[str, ReplayNeeds]:
    """By policy that can be replayed, what that needs."""
    return {
        name: strategy.replay
        for name, strategy in ALL_STRATEGIES.usable().items()
        if strategy.replay is not None
    }


def given_score(spec: Spec) -> str:
    """The user's own score that a gate is to decide by; empty where none is named."""
    return given_parameters(spec).get(SCORE_GATE, {}).get("name", "")


def check_replayable(policies: Sequence[str]) -> None:
    """Raises `ConfigError` for a policy that cannot be replayed."""
    for policy in policies:
        if policy not in replay_needs():
            raise ConfigError(
                f"policy {policy!r} cannot be replayed{suggest(policy, replay_needs())}"
            )


def check_kept_parameters(spec: Spec) -> None:
    """Raises `ConfigError` for a parameter that a replay could not act by."""
    for strategy, parameters in given_parameters(spec).items():
        for name in parameters:
            if reason := NOT_KEPT.get((strategy, name)):
                raise ConfigError(
                    f"strategy_parameters: {strategy}.{name} cannot be kept in a replay, where "
                    f"{reason}; leave it out"
                )


def choose_policies(
    wanted: Sequence[str],
    parts: Parts,
    score: str = "",
    n_steps: int | None = None,
    guarantee: str = "",
) -> tuple[str, ...]:
    """Those that are wanted; without a wish all that the data has everything for.

    ``score`` is the user's own that a gate is to decide by, empty: the only one there is.
    ``n_steps`` are taken at most, None: as many as are recorded. ``guarantee`` is what gates are to
    promise, empty: nothing.

    Raises `DataError` naming line, field and policy where a wanted one lacks something. Of its
    further outcomes it needs on the questions that are tested on only those that it chooses.
    """
    if not wanted:
        return tuple(
            name for name in replay_needs() if is_possible(name, parts, score, n_steps, guarantee)
        )
    for policy in wanted:
        fields = _fields(policy, parts, score, n_steps)
        plans, steps = _plans(policy, parts.calibration), _steps(policy, parts, n_steps)
        lack = next(chain(fields, plans, steps), "")
        if lack:
            raise DataError(f"{lack}, {LEAVE_OUT}")
    return tuple(wanted)


def is_possible(
    policy: str,
    parts: Parts,
    score: str = "",
    n_steps: int | None = None,
    guarantee: str = "",
) -> bool:
    """Whether everything is recorded that the policy needs, and it can keep the guarantee; the log
    says what is missing."""
    if policy not in replay_needs():
        logger.info("%s is left out: it cannot be replayed", policy)
        return False
    if guarantee and not replay_needs()[policy].promises:
        logger.info("%s is left out: it promises nothing, and guarantee=%s", policy, guarantee)
        return False
    fields, plans = _fields(policy, parts, score, n_steps), _plans(policy, parts.all)
    unpaid, steps = _unpaid(policy, parts.all), _steps(policy, parts, n_steps)
    lack = next(chain(fields, plans, unpaid, steps), "")
    if lack:
        logger.info("%s is left out: %s", policy, lack)
    return not lack


def _fields(policy: str, parts: Parts, score: str, n_steps: int | None) -> Iterator[str]:
    signal = replay_needs()[policy].signal
    if signal is RecordedSignal.OWN_SCORE:
        yield from _scores(policy, parts, score)
    for recorded in parts.all:
        lack = LACKS[signal](recorded, parts.common)
        if lack:
            yield missing(recorded, f"{NONE}.{lack}", f"{policy} needs")
    if signal is RecordedSignal.ANSWER_MARGIN:
        yield from _later_means(policy, parts, n_steps or common_reach(parts.all).n_steps)


def _later_means(policy: str, parts: Parts, n_steps: int) -> Iterator[str]:
    """The signals that an answer lacks after a retrieval which is not the last: it is looked at as
    that before the first one is."""
    means = sorted(parts.common.means | {"margin"}) if n_steps > 1 else []
    for n_retrievals in range(1, n_steps):
        plan = after((Action.RETRIEVE.value,) * n_retrievals)
        for recorded in parts.all:
            outcome = recorded.outcomes.get(plan)
            if outcome is None or outcome.probabilities:
                continue
            for mean in means:
                if not outcome.course.signals.has(mean):
                    name = f"{plan}.{_instead(recorded, mean)}"
                    yield missing(
                        recorded, name, f"{policy} needs after every retrieval but the last"
                    )


def _scores(policy: str, parts: Parts, score: str) -> Iterator[str]:
    """What is wrong with the scores of the lines, of which every one needs that of the name."""
    known = dict.fromkeys(name for recorded in parts.all for name in recorded.scores)
    if not known:
        yield missing(parts.all[0], f"{NONE}.scores", f"{policy} needs, and of every line")
    elif score and score not in known:
        yield (
            f"{policy}.name={score}: no line has that score{suggest(score, known)}; give one of "
            "them"
        )
    elif not score and len(known) > 1:
        yield (
            f"{policy} needs {policy}.name: the lines have the scores {', '.join(known)}; give one "
            "of them"
        )
    for recorded in parts.all:
        for name in [score] if score else known:
            if name not in recorded.scores:
                yield missing(recorded, f"{NONE}.scores.{name}", f"{policy} needs")


def _plans(policy: str, questions: Sequence[RecordedQuestion]) -> Iterator[str]:
    plans = replay_needs()[policy].plans
    for recorded in questions:
        for plan in plans:
            if plan not in recorded.outcomes:
                yield missing(recorded, plan, f"{policy} needs")


def _steps(policy: str, parts: Parts, n_steps: int | None) -> Iterator[str]:
    needed, taken = replay_needs()[policy].n_steps, n_steps or common_reach(parts.all).n_steps
    if taken < needed:
        yield (
            f"{policy} needs {needed} steps, and {taken} is as far as every line has all sequences "
            f"of actions, or as max_steps says; give max_steps={needed}"
        )


def _unpaid(policy: str, questions: Sequence[RecordedQuestion]) -> Iterator[str]:
    """Outcomes of which nothing says how many steps led to them."""
    for recorded in questions:
        for plan in replay_needs()[policy].plans:
            if recorded.actions(plan) is None:
                yield missing(recorded, f"{plan}.actions", f"{policy} needs, and has to be paid")


def missing(recorded: RecordedQuestion, name: str, why: str) -> str:
    """A sentence that further ways out can follow, such as `LEAVE_OUT`."""
    return (
        f"{recorded.place}: outcomes.{name} is missing, which {why}; record it for every question"
    )
