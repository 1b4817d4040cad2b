"""An episode as a tree of spans: what a tracing tool shows of it, from its stored trajectory.

The same names serve sweeps and served requests, so that what was expected of a policy can be
compared with what came of it later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from argo_ml.pricing import MILLION, MoneyPrices
from argo_ml.results.records import QuestionResult
from argo_ml.types import Action

DOLLARS = ("USD", "$", "US$")
LONGEST_TEXT = 1_000
"""Characters of a text in a span; what is longer is cut with an ellipsis."""
Trajectory = Mapping[str, Any]
"""A line of a cell's trajectories."""


class SpanKind(Enum):
    """What a span is to a tracing tool."""

    AGENT = "AGENT"
    CHAIN = "CHAIN"
    RETRIEVER = "RETRIEVER"
    LLM = "LLM"


@dataclass(frozen=True, slots=True)
class Span:
    """A step of an episode; ``tokens`` are those of its prompts and of what was generated, and
    ``dollars`` what these cost, where they have a price."""

    name: str
    kind: SpanKind
    inputs: Mapping[str, Any]
    outputs: Any
    attributes: Mapping[str, object] = field(default_factory=dict)
    tokens: tuple[int, int] | None = None
    dollars: tuple[float, float] | None = None
    model: str = ""
    """Of calls of a model, by which tools add their costs up."""
    children: tuple[Span, ...] = ()

    @property
    def n_tokens(self) -> int:
        return sum(self.tokens or ())


@dataclass(frozen=True, slots=True)
class EpisodeCosts:
    """What an episode was decided by and came to; ``seconds`` are its model calls'."""

    strategy: str
    retrieval_cost: float
    cost: float
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    model: str = ""
    money: MoneyPrices | None = None

    @classmethod
    def of_row(
        cls,
        strategy: str,
        price: float,
        row: QuestionResult,
        model: str,
        money: MoneyPrices | None = None,
    ) -> EpisodeCosts:
        tokens = row.prompt_tokens, row.completion_tokens
        return cls(strategy, price, row.cost, *tokens, row.lm_seconds, model, money)

    def amounts(self, n_retrievals: int) -> dict[str, object]:
        """What the episode cost in the user's unit; nothing where prices are shares."""
        if self.money is None:
            return {}
        amount = self.money.amount(self, n_retrievals, self.retrieval_cost)
        return {"argo.amount": amount, "argo.price_unit": self.money.unit}

    def dollars(self, tokens: tuple[int, int] | None) -> tuple[float, float] | None:
        """The price of tokens of prompts and of what was generated, where it is in dollars: tools
        show costs in no other unit."""
        money = self.money
        if tokens is None or money is None or money.unit.upper() not in DOLLARS:
            return None
        prices = money.per_1m_prompt_tokens, money.per_1m_completion_tokens
        return tokens[0] * prices[0] / MILLION, tokens[1] * prices[1] / MILLION


def episode_span(
    line: Trajectory, passages: Mapping[str, Mapping[str, Any]], costs: EpisodeCosts
) -> Span:
    """The agent's span with all that happened in it, in order; ``passages`` are by id."""
    steps = line["steps"]
    parts = [part for step in steps for part in _step_spans(step, passages, costs)]
    n_retrievals = sum(step["action"] == Action.RETRIEVE.value for step in steps)
    final = (
        *parts,
        _decision(Action.STOP.value, line.get("expected"), {}),
        _synthesis(line, costs),
    )
    first = steps[0] if steps else line
    attributes = {
        "argo.strategy": costs.strategy,
        "argo.retrieval_cost": costs.retrieval_cost,
        "argo.cost": costs.cost,
        "argo.actions": [step["action"] for step in steps],
        "argo.stop_reason": line["stop_reason"],
        "argo.p_hat": (line.get("expected") or {}).get("confidence"),
        "argo.expected_gain": (first.get("expected") or {}).get("gain"),
        "argo.lm_seconds": costs.seconds,
        **costs.amounts(n_retrievals),
    }
    asked: dict[str, Any] = {"question": _cut(line["question"])}
    if line["choices"]:
        asked["choices"] = list(line["choices"])
    return Span(
        name=f"{costs.strategy} c_r={costs.retrieval_cost:g}",
        kind=SpanKind.AGENT,
        inputs=asked,
        outputs={"answer": _cut(line["answer"])},
        attributes=_known(attributes),
        children=final,
    )


def _step_spans(
    step: Mapping[str, Any], passages: Mapping[str, Mapping[str, Any]], costs: EpisodeCosts
) -> Iterator[Span]:
    before = {"answer": _cut(step["answer_before"])} if "answer_before" in step else {}
    yield _decision(step["action"], step.get("expected"), before)
    tokens = (step["tokens"][0], step["tokens"][1]) if "tokens" in step else None
    asked = {"sub_question": _cut(step["sub_question"])}
    if step["action"] == Action.RETRIEVE.value:
        query = step.get("query") or step["sub_question"]
        found = [_document(hit, passages) for hit in step["evidence"]]
        yield Span("retrieve", SpanKind.RETRIEVER, {"query": _cut(query)}, found)
    name = "read" if step["action"] == Action.RETRIEVE.value else "reason"
    said = {"answer": _cut(step["sub_answer"])}
    yield _call(name, asked, said, tokens, costs)


def _call(
    name: str,
    asked: Mapping[str, Any],
    said: Any,
    tokens: tuple[int, int] | None,
    costs: EpisodeCosts,
) -> Span:
    dollars = costs.dollars(tokens)
    return Span(name, SpanKind.LLM, asked, said, tokens=tokens, dollars=dollars, model=costs.model)


def _decision(action: str, expected: Mapping[str, Any] | None, before: Mapping[str, str]) -> Span:
    values = expected or {}
    attributes = {
        "argo.p_hat": values.get("confidence"),
        "argo.expected_gain": values.get("gain"),
        "argo.score": values.get("score"),
    }
    return Span("decide", SpanKind.CHAIN, before, {"action": action}, _known(attributes))


def _synthesis(line: Trajectory, costs: EpisodeCosts) -> Span:
    """The final answer, with the tokens that no step took: those of probes are among them."""
    steps = line["steps"]
    tokens = None
    if all("tokens" in step for step in steps):
        taken = [sum(step["tokens"][index] for step in steps) for index in (0, 1)]
        tokens = costs.prompt_tokens - taken[0], costs.completion_tokens - taken[1]
    inputs = {"question": _cut(line["question"]), "sub_answers": _sub_answers(steps)}
    outputs = {"answer": _cut(line["answer"])}
    return _call("synthesize", inputs, outputs, tokens, costs)


def _sub_answers(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    return [_cut(step["sub_answer"]) for step in steps]


def _document(hit: Mapping[str, Any], passages: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A passage in the form that tracing tools show as a document."""
    passage = passages.get(hit["passage_id"], {})
    described = {
        "similarity": hit["similarity"],
        "doc_uri": passage.get("source", ""),
        "title": passage.get("title", ""),
    }
    text = _cut(passage.get("text", ""))
    return {"id": hit["passage_id"], "page_content": text, "metadata": described}


def _known(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
