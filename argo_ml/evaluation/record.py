"""What the evaluation of a sweep says: written as ``evaluation.json``, read by the report."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ConfigDict, Field

from argo_ml.results.records import Identifier, Record
from argo_ml.statistics.intervals import ROUNDING, Estimate, best_of


class Confidence(Record):
    """How good a confidence is (`argo_ml.statistics.confidence`); None where undefined.

    ``n`` answers are about ``n_questions`` questions. Evaluations of earlier versions lack
    ``ece_if_calibrated`` and ``n_questions``.
    """

    roc_auc: float | None
    brier: float
    ece: float
    ece_if_calibrated: float | None = None
    aurc: float
    prr: float | None
    n: int
    n_questions: int | None = None


class StrategyRow(Record):
    """One strategy at one price.

    ``rc`` and ``lmc`` are retriever and language-model calls per question. ``fire_share`` is the
    share of questions that a gate retrieved for (None for other strategies), ``is_degenerate``
    whether that is below 1 % or above 99 %. ``regret`` is the oracle's utility minus its own, None
    without an oracle. ``is_fixed`` marks strategies that treat all questions alike, ``is_ceiling``
    the oracle.
    """

    strategy: str
    retrieval_cost: float
    is_fixed: bool
    is_ceiling: bool
    n: int
    accuracy: Estimate
    """With Wilson's interval."""
    utility: Estimate
    cost: float
    rc: float
    reason_calls: float
    lmc: float
    probe_calls: float
    sample_calls: float
    tokens: float
    unparsed: float
    abstained: float
    fire_share: float | None = None
    is_degenerate: bool = False
    regret: Estimate | None = None
    confidence: Confidence | None = None


class Contrast(Record):
    """One strategy against the best fixed one at its price, on the same questions.

    ``utility`` is the difference of utility with its paired bootstrap interval and ``p_utility``;
    ``p_accuracy`` is the exact McNemar test's. The ``holm_*`` are adjusted over all contrasts of
    the sweep (Holm 1979). The fixed strategy is chosen on these questions, which favors it.
    ``retrieval_reduction`` is the relative saving of retrievals against Always-Retrieve, and
    ``is_accuracy_matched`` whether accuracy is within 1 point of its, by an interval that reckons
    with changes which no question has shown (`change_estimate`). Evaluations of earlier versions
    have a bootstrap interval, and None where that has no width.
    """

    strategy: str
    retrieval_cost: float
    baseline: str
    utility: Estimate
    p_utility: float
    holm_utility: float
    p_accuracy: float
    holm_accuracy: float
    is_identical: bool
    """Same actions and answers on every question."""
    sign: int = 0
    """1 or -1 where ``utility`` is told to lie above or below 0; earlier evaluations have 0."""
    accuracy_against_always_retrieve: Estimate | None = None
    retrieval_reduction: float | None = None
    is_accuracy_matched: bool | None = None

    @property
    def changes_nothing(self) -> bool:
        """Whether there is nothing to compare: it acts and answers alike, and costs as much."""
        return self.is_identical and abs(self.utility.mean) <= ROUNDING


class Point(Record):
    budget: float
    retrieval_share: float
    accuracy: float


class GateFrontiers(Record):
    """What a gate's scores buy; ``*_exceedance`` is the largest share over budgets of random splits
    on which the realised use exceeds the budget."""

    gate: str
    exact: tuple[Point, ...]
    deployable: tuple[Point, ...] = ()
    conservative: tuple[Point, ...] = ()
    deployable_exceedance: float | None = None
    conservative_exceedance: float | None = None
    retrieval_reduction: float | None = None
    """Largest saving of retrievals at an accuracy within 1 point of retrieving always (exact)."""


class Effects(Record):
    """What one retrieval does to answers: shares of questions."""

    benefit: float
    harm: float
    neutral: float


class GainBin(Record):
    """Decisions of like expectation at any price: what they expected to gain, and what was gained.

    ``realised`` has its interval over questions. ``n_questions`` are those of all decisions of the
    strategy; evaluations of earlier versions lack it.
    """

    strategy: str
    expected: float
    realised: Estimate
    n: int
    n_questions: int | None = None


class ByDifficulty(Record):
    """Means over the questions of one difficulty under one strategy at one price."""

    strategy: str
    retrieval_cost: float
    difficulty: str
    n: int
    accuracy: float
    retrieve: float
    reason: float


class ReliabilityPoint(Record):
    confidence: float
    accuracy: float
    low: float
    high: float
    n: int


class BreakEven(Record):
    """The price of a retrieval at which two strategies are equally useful.

    Below ``price`` the one that retrieves ``more`` is the more useful, above it the one that
    retrieves ``fewer`` times; at or below 0 it pays at no price. The interval is bootstrapped over
    questions. Accuracies are shares of questions, ``retrievals_more`` is per question.
    """

    more: str
    fewer: str
    price: Estimate
    accuracy_more: float
    accuracy_fewer: float
    retrievals_more: float
    corrected: float
    """Share of questions that ``fewer`` answers wrong and ``more`` right."""
    spoiled: float
    """Share of questions that ``fewer`` answers right and ``more`` wrong."""
    acts_as_at: float | None = None
    """The price at which ``more`` acts as it was taken here; None where it does so at all."""


class PriceRange(Record):
    """Prices at which one fixed strategy has the highest mean utility of all fixed ones."""

    strategy: str
    low: float
    high: float
    is_exact: bool = True
    """Whether ``high`` is exact, rather than interpolated between two swept prices."""


class FurtherQuestions(Record):
    """How many questions would settle one price: tell the sign of the difference of ``strategy``
    from ``baseline``, or that it is nearer to 0 than 0.01, with 80 % power at the 5 % level.

    By the spread of the paired differences of utility here. ``n_needed`` is None where they show
    none, and 0 where both act and answer alike, so that there is nothing to settle. ``n_test`` is
    how many test questions are lacking, and ``n_calibration`` how many of the calibration, so that
    the same is told there, where strategies are chosen; None without any.
    """

    strategy: str
    baseline: str
    retrieval_cost: float
    n_needed: int | None
    n_test: int | None
    n_calibration: int | None = None


class Headline(Record):
    """The strategy that decides by the question, against the best fixed one at each price.

    It is the one of ``candidates`` with the highest mean utility over the prices, chosen on these
    questions where there are several. ``gain`` is the difference of utility, averaged over
    ``n_prices`` prices, and ``sign`` is 1 or -1 where it is told to lie above or below 0. At a
    single price that is told at ``n_above`` and at ``n_below`` of them.
    """

    strategy: str
    candidates: tuple[str, ...]
    gain: Estimate
    n_prices: int
    n_above: int
    n_below: int
    is_identical: bool
    """Same actions and answers as the best fixed strategy on every question at every price."""
    sign: int = 0
    """Evaluations of earlier versions have 0."""

    @property
    def changes_nothing(self) -> bool:
        """Whether there is nothing to compare: it acts and answers alike, and costs as much."""
        return self.is_identical and abs(self.gain.mean) <= ROUNDING


class Evaluation(Record):
    """``question`` is what was asked, ``answer`` what came out, a line per sentence.

    ``floors`` are accuracies without a model, ``mean_utilities`` utilities averaged over the prices
    by strategy, ``limits`` what these questions and this model can tell at all, and ``caveats``
    what to distrust, one sentence each; the file calls the last ``doubts``.

    Evaluations of earlier versions have ``areas`` in the place of ``mean_utilities``, areas under
    utility over price divided by the range of prices, and lack all that begins with an empty value.
    """

    model_config = ConfigDict(
        validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )

    schema_version: int = 1
    sweep_id: Identifier
    question: str
    answer: str
    n_questions: int
    floors: Mapping[str, float]
    prices: tuple[float, ...]
    rows: tuple[StrategyRow, ...]
    contrasts: tuple[Contrast, ...]
    areas: Mapping[str, float] = {}
    mean_utilities: Mapping[str, float] = {}
    break_evens: tuple[BreakEven, ...] = ()
    price_ranges: tuple[PriceRange, ...] = ()
    limits: tuple[str, ...] = ()
    effects: Effects | None = None
    frontiers: tuple[GateFrontiers, ...] = ()
    gains: tuple[GainBin, ...] = ()
    by_difficulty: tuple[ByDifficulty, ...] = ()
    reliability: Mapping[str, tuple[ReliabilityPoint, ...]] = {}
    """By strategy, at the middle price, so that every question counts once."""
    caveats: tuple[str, ...] = Field((), alias="doubts")
    p_hat: Confidence | None = None
    """How good p-hat was in the states that strategies came to which report it before every step,
    each state counted once for all prices; the answer there need not be the final one."""
    calibration_run: str = ""
    calibration: Mapping[str, float] = {}
    """Metrics of the calibration, such as its Brier score out of fold."""
    headline: Headline | None = None
    """None where no strategy that looks at the question or no fixed one ran."""
    further_questions: tuple[FurtherQuestions, ...] = ()
    """By price; evaluations of earlier versions lack them."""

    @property
    def conclusion(self) -> tuple[str, ...]:
        """The sentences of the answer, and of what limits it."""
        return (*self.answer.splitlines(), *self.limits)

    def rows_of(self, strategy: str) -> tuple[StrategyRow, ...]:
        """The rows of a strategy, by price ascending."""
        own = [row for row in self.rows if row.strategy == strategy]
        return tuple(sorted(own, key=lambda row: row.retrieval_cost))

    def rows_at(self, price: float) -> tuple[StrategyRow, ...]:
        """The rows of one price, in the order of the strategies."""
        return tuple(row for row in self.rows if row.retrieval_cost == price)

    def best_fixed(self) -> Mapping[float, StrategyRow]:
        """By price the fixed strategy with the best mean utility, of equal ones the first."""
        fixed = {
            price: {row.strategy: row for row in self.rows_at(price) if row.is_fixed}
            for price in self.prices
        }
        return {
            price: rows[best_of({name: row.utility.mean for name, row in rows.items()})]
            for price, rows in fixed.items()
            if rows
        }
