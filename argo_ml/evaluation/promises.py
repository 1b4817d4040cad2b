"""What became of the guarantee that gates were given, on the questions asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from argo_ml.config import Promise, read_guarantee
from argo_ml.config.strategy_fields import GuaranteeFields
from argo_ml.evaluation.judged_cells import JudgedCell, by_strategy
from argo_ml.evaluation.roles import is_gate
from argo_ml.results.question_rows import row_values
from argo_ml.results.records import CellResult, Results
from argo_ml.results.unit import unit_of
from argo_ml.statistics.intervals import wilson
from argo_ml.types import Action, StopReason

DELTA = float(GuaranteeFields.model_fields["delta"].default)
"""What is not stored, as it is the default."""
WITHOUT_ANSWER = (StopReason.ABSTAIN.value, StopReason.UNANSWERED.value)
"""Why an episode ends whose synthesizer is not asked."""


def promise_lines(results: Results, cells: Sequence[JudgedCell]) -> Iterator[str]:
    """A sentence for every gate, with what was promised and the share at each price."""
    text = results.spec.get("guarantee")
    if not text:
        return
    guarantee, unit = read_guarantee(text), unit_of(results.spec)
    for strategy, own in by_strategy([cell for cell in cells if is_gate(cell.strategy)]).items():
        shares = (
            f"{_share(cell.result, guarantee.promise)} at {unit.at_price(cell.price)}"
            for cell in own
        )
        promised = f"{guarantee.promise.value} at most {guarantee.level:g}"
        yield (
            f"Guarantee of {strategy}, {promised} except with a chance of "
            f"{results.spec.get('delta', DELTA):g}: here it is {'; '.join(shares)}."
        )


def _share(cell: CellResult, promise: Promise) -> str:
    """``0.213 of 150 [0.16, 0.29]``"""
    columns = list(row_values(cell.questions, "stop_reason", "correct", "actions"))
    if promise is Promise.ERRORS:
        events = [not correct for reason, correct, _ in columns if reason not in WITHOUT_ANSWER]
    else:
        events = [Action.RETRIEVE.value in actions for _, _, actions in columns]
    if not events:
        return "nothing, as no answer was given,"
    interval = wilson(sum(events), len(events))
    share = sum(events) / len(events)
    return f"{share:.3f} of {len(events)} [{interval.low:.2f}, {interval.high:.2f}]"
