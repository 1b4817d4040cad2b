"""From what the stages of a study gave to its advice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from argo_ml.advising.choosing import Choice
from argo_ml.advising.confirming import advised_ranges, confirm
from argo_ml.advising.sentences import Questions, sentences
from argo_ml.evaluation.advice import CONFIRMING, Advice, DataCheck
from argo_ml.evaluation.headline import question
from argo_ml.evaluation.sentences import stopping_lines
from argo_ml.policies.strategies import find_strategy
from argo_ml.results.records import Results
from argo_ml.results.unit import StoredUnit, unit_of


@dataclass(frozen=True, slots=True)
class Judged:
    """What was chosen, and the results that it is judged by.

    ``judged_on`` names their split, ``sizes`` are questions by split, and ``runs`` are run ids by
    stage.
    """

    choices: tuple[Choice, ...]
    results: Results
    judged_on: str
    sizes: Mapping[str, int]
    runs: Mapping[str, str]

    @property
    def is_confirming(self) -> bool:
        """Whether it is judged on other questions than it was chosen on."""
        return self.judged_on == CONFIRMING

    @property
    def decides_by_question(self) -> bool:
        """Whether a strategy ran that does not treat all questions alike."""
        return any(not find_strategy(name).treats_alike for name in self.results.strategies)


def conclude(
    judged: Judged, data: DataCheck | None, advice_id: str, cut: Mapping[str, str]
) -> Advice:
    """The advice of the run ``advice_id``; ``cut`` are the stages that a budget ended."""
    prices = confirm(judged.choices, judged.results, judged.is_confirming)
    ranges = advised_ranges(prices, judged.results, judged.is_confirming)
    n, unit = len(judged.results.cells[0].questions), unit_of(judged.results.spec)
    return Advice(
        advice_id=advice_id,
        question=question(judged.results),
        sentences=(
            *sentences(
                ranges,
                prices,
                Questions(judged.judged_on, n, judged.is_confirming),
                judged.decides_by_question,
                unit,
            ),
            *stopping_lines(judged.results.stopping, unit),
        ),
        unit=StoredUnit.of(unit),
        ranges=ranges,
        prices=prices,
        sizes=judged.sizes,
        judged_on=judged.judged_on,
        calibration_run=judged.runs.get("calibration", ""),
        runs=judged.runs,
        data=data,
        cut=dict(cut),
        go_on=f"argo-ml advise --resume {advice_id}" if cut else "",
    )
