"""What replayed decisions cost: fixed prices of actions, or what recorded answers used."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from argo_ml.calibration.action_usage import less, mean_usage
from argo_ml.calibration.plans import NONE
from argo_ml.calibration.record import ActionUsage
from argo_ml.config import ReplaySpec
from argo_ml.errors import DataError
from argo_ml.pricing import PROBE, MoneyPrices, Tariff
from argo_ml.replay.recorded import RecordedQuestion
from argo_ml.replay.rows import ReplayDecision, Walk
from argo_ml.results.records import QuestionResult
from argo_ml.types import Action, Prices, Usage


@dataclass(frozen=True)
class Charges:
    """Prices at one price of a retrieval, in shares of a right answer.

    ``expected`` is what policies decide by; ``tariff`` says what was really used, None where
    actions have fixed prices.
    """

    expected: Prices
    tariff: Tariff | None = None

    def of(
        self, recorded: RecordedQuestion, decision: ReplayDecision, row: QuestionResult
    ) -> float:
        """What the row's question cost, looks that the policy took at answers included."""
        if self.tariff is None:
            return price_of_actions(row.actions, self.expected)
        look, used = recorded.outcomes[NONE].course.usage, row.usage
        for _ in range(n_looks(decision)):
            used = used + look
        n_retrievals = row.actions.count(Action.RETRIEVE.value)
        return self.tariff.cost(used, n_retrievals, decision.abstains)

    def of_plan(self, recorded: RecordedQuestion, plan: str) -> float | None:
        """What a question costs under a recorded plan, without looks; None where nothing says how
        many steps it takes."""
        actions = recorded.actions(plan)
        if actions is None:
            return None
        if self.tariff is None:
            return price_of_actions(actions, self.expected)
        n_retrievals = actions.count(Action.RETRIEVE.value)
        return self.tariff.cost(recorded.outcomes[plan].course.usage, n_retrievals, False)


def price_of_actions(actions: Sequence[str], prices: Prices) -> float:
    return math.fsum(prices.of(Action(action)) for action in actions)


def n_looks(decision: ReplayDecision) -> int:
    """Answers that were made only to decide by; the last one is the answer itself, given or
    withheld."""
    if isinstance(decision, Walk):
        return sum(probed for _, probed in decision.before)
    return int(decision.has_probed_answer and decision.plan != NONE)


@dataclass(frozen=True)
class Charging:
    """Charges at every price, by what the calibration's questions used."""

    spec: ReplaySpec
    calibrating: Sequence[RecordedQuestion]
    measured: dict[str, ActionUsage] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: ReplaySpec, calibrating: Sequence[RecordedQuestion]) -> Charging:
        """Raises `DataError` naming a question without the tokens or seconds that are priced."""
        money = spec.money
        if money is None or not money.prices_usage:
            return cls(spec, calibrating)
        return cls(spec, calibrating, measure_recorded_usage(calibrating))

    def at(self, retrieval_cost: float) -> Charges:
        spec, money = self.spec, self.spec.money
        if money is None:
            return Charges(Prices(retrieval_cost, spec.reason_cost))
        expected = money.expected(self.measured, retrieval_cost)
        return Charges(expected, Tariff(money, retrieval_cost))


def check_usage_recorded(money: MoneyPrices | None, questions: Sequence[RecordedQuestion]) -> None:
    """Raises `DataError` naming the first outcome without the tokens or seconds that are priced."""
    if money is None:
        return
    priced = {
        "prompt_tokens": money.per_1m_prompt_tokens,
        "completion_tokens": money.per_1m_completion_tokens,
        "seconds": money.per_second,
    }
    for recorded in questions:
        for plan, outcome in recorded.outcomes.items():
            for name, price in priced.items():
                if price and name not in outcome.course.said_usage:
                    raise DataError(
                        f"{recorded.place}: outcomes.{plan}.{name} is missing, which has a price; "
                        "record it for every outcome, or leave the price out"
                    )


def measure_recorded_usage(questions: Sequence[RecordedQuestion]) -> dict[str, ActionUsage]:
    """What an action added to the answer before it, and what a look at an answer took, on average.

    The answer without retrieval stands for every look.
    """
    rows: defaultdict[str, list[Usage]] = defaultdict(list)
    for recorded in questions:
        rows[PROBE].append(recorded.outcomes[NONE].course.usage)
        for action, added in _added(recorded):
            rows[action].append(added)
    return {name: mean_usage(own) for name, own in rows.items()}


def _added(recorded: RecordedQuestion) -> Iterator[tuple[str, Usage]]:
    sequences = recorded.sequences
    for actions, outcome in sequences.items():
        before = sequences.get(actions[:-1]) if actions else None
        if before is not None:
            yield actions[-1], less(outcome.course.usage, before.course.usage)
