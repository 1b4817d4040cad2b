"""What the figures show, in a sentence for those who see them and in one for those who do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Story:
    caption: str
    alternative: str


STORIES: Mapping[str, Story] = {
    "price_utility": Story(
        "Mean utility by the price of one retrieval: strategies that treat all questions alike in "
        "grey, all others in color, the ceiling, which knows the answers, dashed in black.",
        "Line chart of utility against retrieval cost, one line per strategy; the numbers are in "
        "the table of strategies by price.",
    ),
    "accuracy_retrievals": Story(
        "Accuracy against retrievals per question: a strategy is good where it stands high and to "
        "the left, and a gate's ranking where its line runs above that of retrieving at random.",
        "Scatter chart of accuracy against retriever calls per question, one point per strategy "
        "and price, with a panel for the frontier of each of the best gates; the numbers are in "
        "the table of strategies by price and in the table of gates.",
    ),
    "gains": Story(
        "What decisions expected to gain over stopping against what they gained, in bins of about "
        "equally many with 95 % intervals: expectations on the diagonal were right.",
        "Realised against expected gain, one panel per strategy that expects gains, with the "
        "diagonal.",
    ),
    "reliability": Story(
        "Share of right answers by confidence: below the diagonal a strategy was surer than it "
        "should have been; intervals (95 %) take a question for another one at every price, so "
        "that they are too narrow.",
        "Reliability diagrams, one panel per strategy, with the diagonal; how well confidences "
        "are calibrated is in the table of confidence.",
    ),
    "actions_by_difficulty": Story(
        "What strategies did for questions of each difficulty at the middle price: one that "
        "decides by the question should not treat them alike.",
        "Stacked bars of mean retrievals and reasoning steps per question, one bar per strategy "
        "and one panel per difficulty; the numbers are in the table by difficulty.",
    ),
}
"""Of every figure of an evaluation."""
