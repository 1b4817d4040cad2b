"""What an advice says: written as ``advice.json``, read by its report and by who acts on it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from argo_ml.results.records import Identifier, Record
from argo_ml.results.unit import StoredUnit
from argo_ml.statistics.intervals import Estimate

TUNE = "tune"
"""The split, and the stage, that policies are chosen on."""
EXPLORED, REPLAY = "explored", "replay"
"""Stages that an advice is drawn from where there is no sweep of the split: of the fixed plans on
the explored questions, and of recorded outcomes."""


class Recommendation(str, Enum):
    """What to do about retrieving at a price."""

    ALWAYS = "retrieve always"
    BY_QUESTION = "decide by the question"
    NEVER = "never retrieve"


class Certainty(str, Enum):
    """What the questions that it was judged on say of the gain of an advice."""

    CONFIRMED = "confirmed"
    """The gain is told to lie above 0 (`argo_ml.statistics.resampling.Resampled.sign`)."""
    SMALL = "less than 0.01 either way"
    """Its 95 % interval contains nothing that is `MARGIN` away from 0, and nothing as large can
    have escaped the questions."""
    OPEN = "not settled"
    """None of the others, or the questions are those that it was chosen on."""
    REFUTED = "refuted"
    """The gain of what was chosen is told to lie below 0, so that its alternative is advised."""

    @property
    def words(self) -> str:
        """What is said of an advice, which is no longer the choice where that was refuted."""
        return "another choice was refuted" if self is Certainty.REFUTED else self.value


class SplitCheck(Record):
    """One split of the questions: how many there are, and how many of them are used."""

    split: str
    n_questions: int
    n_used: int


class DataCheck(Record):
    """What was seen of questions and documents before any model was asked.

    ``hit_rate`` is the share of questions whose ``top_k`` nearest passages hold a gold answer,
    ``reachable`` that of the 50 nearest; None where no gold answer is a text to look for.
    ``hit_rates`` has it of all retrievers that search the same passages. ``corpus_digest`` is that
    of the documents, as stages have it; empty in advices of earlier versions.
    """

    splits: tuple[SplitCheck, ...]
    n_repeated: int
    n_rejected: int
    n_passages: int
    top_k: int
    hit_rate: float | None
    reachable: float | None
    n_looked_up: int
    hit_rates: Mapping[str, float] = {}
    concerns: tuple[str, ...] = ()
    corpus_digest: str = ""


class PriceAdvice(Record):
    """What to do at one price of a retrieval, and what it is worth on the test questions.

    ``strategy`` was chosen on other questions (the tune split) against ``alternative``, which is
    the best fixed plan where the strategy decides by the question, else the best plan of the
    opposite kind. Where the test refutes it, the two have changed places. ``gain`` is the utility
    of the strategy minus the alternative's. ``n_more`` is how many more test questions would tell
    the gain's sign, or that it matters less than 0.01; None where it is told, no spread was seen,
    or the questions are those that it was chosen on.
    """

    retrieval_cost: float
    recommendation: Recommendation
    strategy: str
    alternative: str
    gain: Estimate
    certainty: Certainty
    n_more: int | None
    accuracy: Estimate
    utility: Estimate
    retrieval_share: float
    """Share of questions that it retrieves for at least once."""
    retrievals: float


class AdvisedRange(Record):
    """Neighboring prices at which the same strategy is advised.

    ``low`` and ``high`` are prices of a retrieval; None where the range has no end that was
    looked at. ``gain`` is the mean over ``prices``, those of the range that were swept, over
    ``alternative``: one strategy, or several by price, as ``single, then never``.
    """

    low: float | None
    high: float | None
    recommendation: Recommendation
    strategy: str
    alternative: str
    prices: tuple[float, ...]
    gain: Estimate
    certainty: Certainty
    accuracy: float
    retrieval_share: float


CONFIRMING = "test"
"""The split on which nothing is chosen."""


class Advice(Record):
    """When retrieval pays.

    ``judged_on`` is the split that the advice was confirmed on; ``test`` unless a budget ended the
    study before. ``sizes`` are questions by split. ``calibration_run`` is the run whose
    calibration the strategies act by, empty where recorded outcomes were judged.
    """

    schema_version: int = 1
    advice_id: str
    question: str
    sentences: tuple[str, ...]
    ranges: tuple[AdvisedRange, ...]
    prices: tuple[PriceAdvice, ...]
    sizes: Mapping[str, int]
    judged_on: str
    calibration_run: str = ""
    runs: Mapping[str, Identifier] = {}
    """Run ids by stage."""
    data: DataCheck | None = None
    unit: StoredUnit = StoredUnit()
    cut: Mapping[str, str] = {}
    """Stages that a budget ended early, and why."""
    published: str = ""
    """URI of the model that the policy was published as; empty where it was not."""
    go_on: str = ""
    """The command that goes on; empty where the study is complete."""

    @property
    def is_confirming(self) -> bool:
        """Whether it was judged on other questions than it was chosen on."""
        return self.judged_on == CONFIRMING

    @property
    def judged_by(self) -> str:
        """The run of the sweep or replay that it was drawn from."""
        stage = EXPLORED if self.judged_on == "calibration" else self.judged_on
        return self.runs.get(REPLAY) or self.runs[stage]

    @property
    def is_complete(self) -> bool:
        return not self.cut
