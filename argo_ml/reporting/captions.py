"""What the figures of the report show, in words, and in which order they stand there.

They are apart from what draws them: Matplotlib takes a second to import, and a report whose figures
were drawn before needs the words alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caption:
    """``name`` is the figure's file without suffix, ``caption`` tells those who see it what it
    shows and ``alternative`` those who do not."""

    name: str
    caption: str
    alternative: str


GRAPH_1A = Caption(
    name="graph_1a",
    caption=(
        "Accuracy by the price of one retrieval, strategies side by side, with Wilson's 95 % "
        "intervals; dotted: what needs no model."
    ),
    alternative=(
        "Line chart of accuracy against retrieval cost, one line per strategy; the numbers are in "
        "the table of strategies by price."
    ),
)
GRAPH_1B = Caption(
    name="graph_1b",
    caption=(
        "Retrievals per question by the price of one, strategies side by side, with bootstrapped "
        "95 % intervals."
    ),
    alternative=(
        "Line chart of retrievals per question against retrieval cost, one line per strategy; the "
        "numbers are in the table of strategies by price."
    ),
)
PRICE_UTILITY = Caption(
    name="price_utility",
    caption=(
        "Mean utility by the price of one retrieval, strategies side by side; ARGO is filled, and "
        "the ceiling, which knows the answers, is dashed in grey."
    ),
    alternative=(
        "Line chart of utility against retrieval cost, one line per strategy; the numbers are in "
        "the table of strategies by price."
    ),
)
ACCURACY_RETRIEVALS = Caption(
    name="accuracy_retrievals",
    caption=(
        "Accuracy against retrievals per question: a strategy is good where it stands high and to "
        "the left, and a gate's ranking where its line runs above that of retrieving at random."
    ),
    alternative=(
        "Scatter chart of accuracy against retriever calls per question, one point per strategy "
        "and price, with a panel for the frontier of each of the best gates; the numbers are in "
        "the table of strategies by price and in the table of gates."
    ),
)
GAINS = Caption(
    name="gains",
    caption=(
        "What decisions expected to gain over stopping against what they gained, in bins of about "
        "equally many and at least 20, with 95 % intervals over questions: expectations on the "
        "diagonal were right."
    ),
    alternative=(
        "Realised against expected gain, one panel per strategy that expects gains, with the "
        "diagonal."
    ),
)
RELIABILITY = Caption(
    name="reliability",
    caption=(
        "Share of right answers by confidence at the middle price, in bins of about equally many "
        "and at least 20, with Wilson's 95 % intervals: below the diagonal a strategy was surer "
        "than it should have been."
    ),
    alternative=(
        "Reliability diagrams, one panel per strategy, with the diagonal; how well confidences "
        "are calibrated is in the table of confidence."
    ),
)
ACTIONS_BY_DIFFICULTY = Caption(
    name="actions_by_difficulty",
    caption=(
        "What strategies did for questions of each difficulty at the middle price: one that "
        "decides by the question should not treat them alike."
    ),
    alternative=(
        "Stacked bars of mean retrievals and reasoning steps per question, one bar per strategy "
        "and one panel per difficulty; the numbers are in the table by difficulty."
    ),
)

CAPTIONS: Mapping[str, Caption] = {
    caption.name: caption
    for caption in (
        GRAPH_1A,
        GRAPH_1B,
        PRICE_UTILITY,
        ACCURACY_RETRIEVALS,
        GAINS,
        RELIABILITY,
        ACTIONS_BY_DIFFICULTY,
    )
}
"""Of every figure of the report by its name, in the report's order."""
GRAPHS = (GRAPH_1A.name, GRAPH_1B.name)
"""Those that the report begins with."""
