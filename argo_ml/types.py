"""The values that flow through the project: plain, frozen, comparable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Action(str, Enum):
    """What a policy can do next."""

    RETRIEVE = "retrieve"
    REASON = "reason"
    STOP = "stop"


class StopReason(str, Enum):
    """Why an episode ended; kept on every trajectory and counted in the metrics."""

    THRESHOLD = "threshold"
    POLICY = "policy"
    LIMIT = "limit"
    ABSTAIN = "abstain"
    UNANSWERED = "unanswered"
    """The model did not take a request of the episode."""


class Difficulty(str, Enum):
    EASY = "easy"
    MEDIUM = "medium"
    HARD = "hard"


class Component(str, Enum):
    """Who asked the language model; every call is counted under its component."""

    DECOMPOSER = "decomposer"
    READER = "reader"
    REASONER = "reasoner"
    SYNTHESIZER = "synthesizer"
    PROBE = "probe"


@dataclass(frozen=True, slots=True)
class Prices:
    """What an action costs, and what a call costs that only serves a decision.

    They are in units of cost, or in units of accuracy once they are scaled by mu.
    """

    retrieve: float
    reason: float
    probe: float = 0.0

    def of(self, action: Action) -> float:
        """The price of a retrieval or of a reasoning step."""
        return {Action.RETRIEVE: self.retrieve, Action.REASON: self.reason}[action]

    def with_probe(self, action: Action) -> float:
        """The price of an action and of probing what it has led to."""
        return self.of(action) + self.probe

    def scaled(self, mu: float) -> Prices:
        """The same prices times ``mu``."""
        return Prices(mu * self.retrieve, mu * self.reason, mu * self.probe)


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its gold answers.

    With ``choices``, ``gold`` holds the 0-based indices of the right ones; without, ``answers``
    holds the accepted texts. Both are empty for a question that somebody asks and nobody grades.
    ``scorer`` names what judges a text by ``answers``.
    """

    id: str
    text: str
    answers: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    gold: tuple[int, ...] = ()
    difficulty: Difficulty | None = None
    gold_passages: tuple[str, ...] = ()
    metadata: Mapping[str, object] = field(default_factory=dict, hash=False)
    scorer: str = field(default="auto", repr=False)

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError(f"question {self.id!r} has no text")
        if self.choices:
            if len(self.choices) < 2:
                raise ValueError(f"question {self.id!r} has one choice, needs at least 2")
            wrong = [index for index in self.gold if not 0 <= index < len(self.choices)]
            if wrong:
                raise ValueError(
                    f"question {self.id!r}: gold={self.gold} must be 0-based indices of its "
                    f"{len(self.choices)} choices"
                )

    @property
    def is_graded(self) -> bool:
        """Whether it has the gold that accuracy needs."""
        return bool(self.gold if self.choices else self.answers)


@dataclass(frozen=True, slots=True)
class Document:
    """A text before it is split into passages; ``id`` is unique in its corpus.

    ``title`` is the document's or section's title, ``source`` where a reader can find it.
    """

    id: str
    text: str
    title: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk of a document; ``title`` is its document or section title."""

    id: str
    text: str
    title: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage that a retrieval returned; ``similarity`` is the cosine in [-1, 1]."""

    passage: Passage
    similarity: float


@dataclass(frozen=True, slots=True)
class TokenDetail:
    """A generated token under the model's own distribution, that of temperature 1.

    ``log_probability`` is the token's (nats), ``entropy`` the distribution's (nats), and ``gap``
    by how much the log-probability of its most probable token exceeds that of the second.
    ``text`` is the token's part of a completion's text: empty for all but the last of several
    tokens that make up one character.
    """

    text: str
    log_probability: float
    entropy: float
    gap: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Language-model calls and what they took, whether or not a cache served them.

    ``probe_calls`` only served a decision, ``sample_calls`` did so by drawing; a look at the answer
    that became the final one is the synthesizer's call. ``seconds`` is what the model took when the
    call was first executed (its share of the batch).
    """

    decomposer_calls: int = 0
    reader_calls: int = 0
    reasoner_calls: int = 0
    synthesizer_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    probe_calls: int = 0
    sample_calls: int = 0

    @property
    def probing_calls(self) -> int:
        """Calls that served a decision alone."""
        return self.probe_calls + self.sample_calls

    @property
    def calls(self) -> int:
        components = (
            self.decomposer_calls + self.reader_calls + self.reasoner_calls + self.synthesizer_calls
        )
        return components + self.probing_calls

    def __add__(self, other: Usage) -> Usage:
        if other is NO_USAGE:
            return self
        return Usage(
            self.decomposer_calls + other.decomposer_calls,
            self.reader_calls + other.reader_calls,
            self.reasoner_calls + other.reasoner_calls,
            self.synthesizer_calls + other.synthesizer_calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.seconds + other.seconds,
            self.probe_calls + other.probe_calls,
            self.sample_calls + other.sample_calls,
        )


NO_USAGE = Usage()


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a policy expected when it decided; None where it expects nothing of the kind.

    ``confidence`` is the probability that the answer it would stop with is right, ``gain`` the
    utility that it expected its action to add to stopping, ``score`` what a gate compared with its
    threshold.
    """

    confidence: float | None = None
    gain: float | None = None
    score: float | None = None


NOTHING_EXPECTED = Expectation()


@dataclass(frozen=True, slots=True)
class Step:
    """One decision of an episode and what came of it.

    ``progress`` is U after the step, ``cost`` the price of the action (c_r or c_p), ``fallback``
    whether the decomposer's sub-question was unusable and the question itself was asked instead.
    ``query`` is what was looked up where it is not the sub-question, ``top_k`` for how many
    passages where that is not the cell's number. ``expected`` is what the policy expected when it
    decided, ``before`` the answer that it saw it would stop with. ``tokens`` are those of prompts
    and of what was generated, the sub-question's among them.
    """

    sub_question: str
    action: Action
    sub_answer: str
    progress: float
    cost: float
    succeeded: bool = True
    evidence: tuple[Evidence, ...] = ()
    fallback: bool = False
    query: str | None = None
    expected: Expectation = NOTHING_EXPECTED
    before: Answer | None = None
    top_k: int | None = None
    tokens: tuple[int, int] = field(default=(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """The final answer: free text, and for questions with choices the index chosen.

    ``choice`` is None for open questions and when the text could not be read as a choice, in
    which case ``parsed`` is False and the answer counts as wrong. ``scores`` holds the
    length-normalised log-likelihood of each choice where choices were scored. One that was
    ``withheld`` on purpose counts as wrong, and not as misread.
    """

    text: str
    choice: int | None = None
    parsed: bool = True
    scores: tuple[float, ...] = ()
    withheld: bool = False
