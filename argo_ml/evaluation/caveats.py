"""What to distrust in an evaluation, one plain sentence each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from argo_ml.evaluation.gate_frontiers import outcomes
from argo_ml.evaluation.promises import WITHOUT_ANSWER
from argo_ml.evaluation.record import Confidence, Evaluation, StrategyRow
from argo_ml.evaluation.roles import is_calibrated, is_fixed, is_gate, stopping_at_theta_star
from argo_ml.policies.planned import NEVER, SINGLE
from argo_ml.results.naming import has_difficulties
from argo_ml.results.question_rows import (
    action_counts,
    last_decided,
    row_numbers,
    row_values,
)
from argo_ml.results.records import CellResult, Results
from argo_ml.types import Action

FEW_QUESTIONS = 100
LARGE_ECE = 0.05
MANY_UNPARSED = 0.05
LOW_SUCCESS = 0.5
"""Share of retrievals that find evidence below which retrieving is hardly tried."""
SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class Judgement:
    """An evaluation but for its caveats, and what it is of."""

    evaluation: Evaluation
    results: Results
    calibration_difficulty: str = ""
    """Difficulty that the calibration's questions were to have; empty where they have none."""

    @property
    def methods(self) -> list[StrategyRow]:
        """All rows but those of ceilings."""
        return [row for row in self.evaluation.rows if not row.is_ceiling]


def caveats(judgement: Judgement) -> tuple[str, ...]:
    """The sentences of all checks that apply, in the order of `CHECKS`."""
    return tuple(sentence for check in CHECKS for sentence in check(judgement))


def _few_questions(judgement: Judgement) -> Iterator[str]:
    n = judgement.evaluation.n_questions
    if n < FEW_QUESTIONS:
        rows = judgement.evaluation.rows
        width = max(row.accuracy.high - row.accuracy.low for row in rows)
        yield f"There are only {n} questions: intervals of accuracy are up to {width:.2f} wide."


def _near_floor(judgement: Judgement) -> Iterator[str]:
    floors, rows = judgement.evaluation.floors, judgement.methods
    highest = max(floors, key=lambda name: floors[name], default="")
    if not highest or floors[highest] <= 0.0:
        return
    near = _strategies(row for row in rows if row.accuracy.low <= floors[highest])
    if near:
        yield (
            f"The accuracy of {_listed(near)} is not told from that without a model "
            f"({highest.replace('_', ' ')}, {floors[highest]:.3f}) at one price or more."
        )


def _degenerate_gates(judgement: Judgement) -> Iterator[str]:
    for gate in _strategies(row for row in judgement.methods if row.is_degenerate):
        rows = judgement.evaluation.rows_of(gate)
        n_never = sum(row.is_degenerate and (row.fire_share or 0.0) < 0.5 for row in rows)
        n_always = sum(row.is_degenerate for row in rows) - n_never
        ways = [
            f"{how} at {n} of {len(rows)} prices"
            for how, n in (
                ("hardly ever retrieves", n_never),
                ("nearly always retrieves", n_always),
            )
            if n
        ]
        yield f"{gate} is degenerate: it {' and '.join(ways)}, whatever the question."


def _miscalibrated(judgement: Judgement) -> Iterator[str]:
    for strategy in judgement.results.strategies:
        rows = judgement.evaluation.rows_of(strategy)
        confidences = [row.confidence for row in rows if row.confidence is not None]
        worst = max(confidences, key=lambda confidence: confidence.ece, default=None)
        if worst and worst.ece > LARGE_ECE and (named := _named(judgement.results, strategy)):
            yield (
                f"{named} is off by up to {worst.ece:.3f} on these answers (ECE"
                f"{_ece_if_calibrated(worst)})."
            )


def _ece_if_calibrated(confidence: Confidence) -> str:
    usual = confidence.ece_if_calibrated
    if usual is None:
        return ""
    return f"; {usual:.3f} would be usual of a perfect p-hat on {confidence.n} answers"


def _named(results: Results, strategy: str) -> str:
    """What its confidence is; empty where that is the model's own of every answer.

    Gates have p-hat of the answers that they give at once, and the model's probability of others.
    """
    if not is_calibrated(strategy):
        return ""
    has_p_hat = np.concatenate([_has_p_hat(cell) for cell in results.row(strategy)])
    if not has_p_hat.any():
        return ""
    if has_p_hat.all():
        return f"The p-hat of {strategy}"
    return f"The confidence of {strategy}, which is p-hat for some of its answers alone,"


def _has_p_hat(cell: CellResult) -> npt.NDArray[np.bool_]:
    """Of each answer that was given, whether its confidence is that of the last decision."""
    reasons = [reason for (reason,) in row_values(cell.questions, "stop_reason")]
    is_given = ~np.isin(np.array(reasons, dtype=str), WITHOUT_ANSWER)
    return ~np.isnan(last_decided(cell.questions, "confidence"))[is_given]


def _unparsed(judgement: Judgement) -> Iterator[str]:
    bad = [row for row in judgement.methods if row.unparsed > MANY_UNPARSED]
    if bad:
        yield (
            f"Up to {_percent(max(row.unparsed for row in bad))} of the answers of "
            f"{_listed(_strategies(bad))} could not be read and count as wrong."
        )


def _retrievals_fail(judgement: Judgement) -> Iterator[str]:
    methods = {row.strategy for row in judgement.methods}
    n_retrievals = n_successes = 0
    for cell in judgement.results.cells:
        if cell.strategy in methods:
            n_retrievals += int(action_counts(cell.questions, Action.RETRIEVE).sum())
            n_successes += int(row_numbers(cell.questions, "retrieval_successes").sum())
    if n_retrievals and n_successes < LOW_SUCCESS * n_retrievals:
        yield f"Only {_percent(n_successes / n_retrievals)} of the retrievals found evidence."


def _adaptive_chosen_here(judgement: Judgement) -> Iterator[str]:
    headline = judgement.evaluation.headline
    if headline is not None and len(headline.candidates) > 1:
        yield (
            f"{headline.strategy} was chosen among {len(headline.candidates)} strategies on the "
            "questions that it is judged on, and not on a tune split, which favors it."
        )


def _fixed_chosen_here(judgement: Judgement) -> Iterator[str]:
    n_fixed = len(_strategies(row for row in judgement.methods if row.is_fixed))
    if judgement.evaluation.contrasts and n_fixed > 1:
        yield (
            f"The best of {n_fixed} fixed strategies was chosen at each price on the questions "
            "that it is judged on, which favors it."
        )


def _nothing_significant(judgement: Judgement) -> Iterator[str]:
    contrasts = judgement.evaluation.contrasts
    if contrasts and all(contrast.holm_utility > SIGNIFICANT for contrast in contrasts):
        yield (
            f"No difference of utility, of {len(contrasts)}, is significant at 5 % once p-values "
            "are adjusted for their number (Holm)."
        )


def _identical(judgement: Judgement) -> Iterator[str]:
    contrasts = judgement.evaluation.contrasts
    for strategy in dict.fromkeys(contrast.strategy for contrast in contrasts):
        own = [contrast for contrast in contrasts if contrast.strategy == strategy]
        if all(contrast.is_identical for contrast in own):
            costs = "" if all(contrast.changes_nothing for contrast in own) else " but for its cost"
            yield (
                f"{strategy} acts and answers like the best fixed strategy on every question at "
                f"every price: it is no other method here{costs}."
            )


def _no_frontiers(judgement: Judgement) -> Iterator[str]:
    gates = [name for name in judgement.results.strategies if is_gate(name)]
    if gates and outcomes(judgement.results) is None:
        yield (
            f"The sweep lacks {NEVER} or {SINGLE}, so that there are no frontiers of "
            f"{_listed(gates)}."
        )


def _probes_left_out(judgement: Judgement) -> Iterator[str]:
    price = float(judgement.results.spec.get("probe_cost", 0.0))
    if judgement.evaluation.gains and price > 0.0:
        yield f"Realised gains leave out the price of looks (probe_cost={price:g})."


def _fixed_measure(judgement: Judgement) -> Iterator[str]:
    measured = judgement.results.spec.get("progress") == "measured"
    ran = [
        name
        for name in stopping_at_theta_star()
        if is_fixed(name) and name in judgement.results.strategies
    ]
    if measured and ran:
        yield (
            f"With progress=measured the stop of {_listed(ran)} depends on how sure the model "
            "looks, so that not all questions are treated alike."
        )


def _calibrated_elsewhere(judgement: Judgement) -> Iterator[str]:
    there, here = judgement.calibration_difficulty, judgement.results.spec["difficulty"]
    if there and there != here and has_difficulties(judgement.results):
        yield f"The calibration was made on difficulty={there}, this is difficulty={here}."


def _small_calibration(judgement: Judgement) -> Iterator[str]:
    n = judgement.evaluation.calibration.get("n_questions")
    if n is not None and n < FEW_QUESTIONS:
        yield f"The calibration was made on only {n:.0f} questions."


CHECKS: Sequence[Callable[[Judgement], Iterator[str]]] = (
    _few_questions,
    _near_floor,
    _unparsed,
    _retrievals_fail,
    _adaptive_chosen_here,
    _fixed_chosen_here,
    _fixed_measure,
    _identical,
    _nothing_significant,
    _degenerate_gates,
    _no_frontiers,
    _miscalibrated,
    _probes_left_out,
    _calibrated_elsewhere,
    _small_calibration,
)


def _strategies(rows: Iterable[StrategyRow]) -> list[str]:
    return list(dict.fromkeys(row.strategy for row in rows))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
