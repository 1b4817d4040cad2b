"""Episodes as traces of MLflow: all spans of many traces in one request, each with its verdicts.

MLflow's own way, span by span as they end, takes a request each; these are written afterwards. A
trace's id follows from what it is of, so that writing it again leaves one.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mlflow.entities import (
    AssessmentSource,
    Expectation,
    Feedback,
    TraceInfo,
    TraceLocation,
    TraceState,
)
from mlflow.entities import Span as StoredSpan
from mlflow.entities.assessment import Assessment
from mlflow.tracing.client import TracingClient
from mlflow.tracing.constant import (
    CostKey,
    SpanAttributeKey,
    TokenUsageKey,
    TraceMetadataKey,
    TraceTagKey,
)

from argo_ml.addresses import redacted
from argo_ml.results.spans import Span
from argo_ml.tracking.stores import explained

CORRECT, PAID_OFF = "correct", "paid_off"
EXPECTED = "expected_response"
"""Name under which MLflow's own scorers look for the gold answer."""
SOURCE = "argo_ml"
_PREVIEW = 500
_SHORTEST_NS = 1_000_000
"""Time of a span that took none that is known."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was judged of an episode, and why."""

    name: str
    value: bool
    rationale: str = ""


@dataclass(frozen=True, slots=True)
class EpisodeTrace:
    """An episode to be shown: of a run, of a model, or both; ``key`` tells it from all others."""

    key: str
    root: Span
    seconds: float
    run_id: str = ""
    model_id: str = ""
    verdicts: tuple[Verdict, ...] = ()
    expected: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    failed: str = ""

    @property
    def id(self) -> str:
        """What MLflow knows it by."""
        return f"tr-{self.number:032x}"

    @property
    def number(self) -> int:
        return int(hashlib.sha256(self.key.encode()).hexdigest()[:32], 16)


def write_traces(uri: str, experiment_id: str, traces: Sequence[EpisodeTrace]) -> list[str]:
    """Write traces and return their ids. Raises `TrackingError` where the store takes none."""
    if not traces:
        return []
    with explained(uri):
        client = TracingClient(uri)
        started = time.time_ns()
        spans = [span for trace in traces for span in _spans(trace, started)]
        for trace in traces:
            client.start_trace(_info(trace, experiment_id, started))
        client.log_spans(experiment_id, spans)
    return [trace.id for trace in traces]


def _info(trace: EpisodeTrace, experiment_id: str, ended_ns: int) -> TraceInfo:
    duration_ns = _duration_ns(trace)
    usage = _usage(_total_tokens(trace.root))
    dollars = _total_dollars(trace.root)
    metadata = {
        TraceMetadataKey.COST: json.dumps(_cost(dollars)) if dollars else "",
        TraceMetadataKey.SOURCE_RUN: trace.run_id,
        TraceMetadataKey.MODEL_ID: trace.model_id,
        TraceMetadataKey.TOKEN_USAGE: json.dumps(usage),
        "mlflow.trace_schema.version": "3",
    }
    return TraceInfo(
        trace_id=trace.id,
        trace_location=TraceLocation.from_experiment_id(experiment_id),
        request_time=(ended_ns - duration_ns) // 1_000_000,
        state=TraceState.ERROR if trace.failed else TraceState.OK,
        request_preview=_preview(trace.root.inputs),
        response_preview=_preview(trace.root.outputs),
        execution_duration=duration_ns // 1_000_000,
        trace_metadata={name: value for name, value in metadata.items() if value},
        tags={TraceTagKey.TRACE_NAME: trace.root.name, **trace.tags},
        assessments=list(_assessments(trace)),
    )


def _assessments(trace: EpisodeTrace) -> Iterator[Assessment]:
    source = AssessmentSource(source_type="CODE", source_id=SOURCE)
    for verdict in trace.verdicts:
        yield Feedback(
            name=verdict.name,
            value=verdict.value,
            rationale=redacted(verdict.rationale) or None,
            source=source,
        )
    if trace.expected is not None:
        yield Expectation(name=EXPECTED, value=trace.expected, source=source)


def _spans(trace: EpisodeTrace, ended_ns: int) -> Iterator[StoredSpan]:
    """The root and its children one after the other; the time of the model calls is shared among
    them by their tokens, since a trajectory has it for all together."""
    children = trace.root.children
    at = ended_ns - _duration_ns(trace)
    yield _stored(trace, trace.root, 0, at, ended_ns)
    for number, (child, took) in enumerate(zip(children, _durations_ns(trace), strict=True), 1):
        yield _stored(trace, child, number, at, at + took)
        at += took


def _durations_ns(trace: EpisodeTrace) -> list[int]:
    total = sum(child.n_tokens for child in trace.root.children)
    shares = [child.n_tokens / total if total else 0.0 for child in trace.root.children]
    return [_SHORTEST_NS + int(trace.seconds * share * 1e9) for share in shares]


def _duration_ns(trace: EpisodeTrace) -> int:
    return max(sum(_durations_ns(trace)), _SHORTEST_NS)


def _stored(trace: EpisodeTrace, span: Span, number: int, begin_ns: int, end_ns: int) -> StoredSpan:
    trace_number = f"{trace.number:032x}"
    attributes: dict[str, object] = {
        SpanAttributeKey.REQUEST_ID: trace.id,
        SpanAttributeKey.SPAN_TYPE: span.kind.value,
        SpanAttributeKey.INPUTS: span.inputs,
        SpanAttributeKey.OUTPUTS: span.outputs,
        **span.attributes,
    }
    if span.tokens is not None:
        attributes[SpanAttributeKey.CHAT_USAGE] = _usage(span.tokens)
    if span.model:
        attributes[SpanAttributeKey.MODEL] = span.model
    if span.dollars is not None:
        attributes[SpanAttributeKey.LLM_COST] = _cost(span.dollars)
    is_failed = number == 0 and bool(trace.failed)
    return StoredSpan.from_dict(
        {
            "name": span.name,
            "trace_id": trace.id,
            "span_id": _span_id(trace_number, number),
            "parent_span_id": _span_id(trace_number, 0) if number else None,
            "start_time_unix_nano": begin_ns,
            "end_time_unix_nano": end_ns,
            "attributes": {
                name: json.dumps(value, ensure_ascii=False) for name, value in attributes.items()
            },
            "status": {"code": "ERROR" if is_failed else "OK", "message": trace.failed},
        }
    )


def _span_id(trace_number: str, number: int) -> str:
    return hashlib.sha256(f"{trace_number} {number}".encode()).hexdigest()[:16]


def _total_tokens(root: Span) -> tuple[int, int]:
    known = [span.tokens for span in (root, *root.children) if span.tokens is not None]
    return sum(tokens[0] for tokens in known), sum(tokens[1] for tokens in known)


def _usage(tokens: tuple[int, int]) -> dict[str, int]:
    return {
        TokenUsageKey.INPUT_TOKENS: tokens[0],
        TokenUsageKey.OUTPUT_TOKENS: tokens[1],
        TokenUsageKey.TOTAL_TOKENS: sum(tokens),
    }


def _total_dollars(root: Span) -> tuple[float, float] | None:
    known = [span.dollars for span in (root, *root.children) if span.dollars is not None]
    if not known:
        return None
    return sum(own[0] for own in known), sum(own[1] for own in known)


def _cost(dollars: tuple[float, float]) -> dict[str, float]:
    return {
        CostKey.INPUT_COST: dollars[0],
        CostKey.OUTPUT_COST: dollars[1],
        CostKey.TOTAL_COST: sum(dollars),
    }


def _preview(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)[:_PREVIEW]
