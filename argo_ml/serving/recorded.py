"""A policy of recorded outcomes: it decides about answers that a caller has, and gives none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_ml.calibration.record import Calibration, CalibrationQuestion
from argo_ml.errors import ConfigError, MissingArtifactError
from argo_ml.parsing import parse_record
from argo_ml.replay.calibrating import RecordedCalibration
from argo_ml.results.artifacts import (
    CALIBRATION,
    CALIBRATION_DIGEST,
    STEPWISE_CALIBRATION,
    STEPWISE_CALIBRATION_DIGEST,
)
from argo_ml.results.stored import naming
from argo_ml.serving.deciding import LoadedPolicy
from argo_ml.serving.priced import named_price
from argo_ml.serving.questions import RequestError
from argo_ml.serving.sources import Source


@dataclass(frozen=True, slots=True)
class Calibrations:
    """``stepwise`` is that of the policies that decide step by step on recorded outcomes."""

    calibration: Calibration | None = None
    stepwise: Calibration | None = None


def replayed_calibrations(source: Source) -> Calibrations:
    """The very ones that a replay's policies were made of.

    Raises `ConfigError` where it keeps none, and for p-hat that was recorded: a served question
    has none of its own.
    """
    at_once = _kept(source, CALIBRATION)
    run = f"replay {source.record.run_id}"
    if at_once is None:
        raise ConfigError(
            f"{run} keeps no calibration: it calibrated on too many questions, or an earlier "
            "version made it; replay again, with a smaller calibration_share where they are many"
        )
    if at_once.recorded:
        raise ConfigError(
            f"{run}: its p-hat is recorded with the outcomes (outcomes.none.confidence), so that "
            "there is none for other questions; leave confidence out of the file and replay again"
        )
    stepwise = _kept(source, STEPWISE_CALIBRATION)
    for name, kept, digest in (
        (CALIBRATION, at_once, CALIBRATION_DIGEST),
        (STEPWISE_CALIBRATION, stepwise, STEPWISE_CALIBRATION_DIGEST),
    ):
        # Earlier versions recorded no digest of the second.
        if kept and kept.digest != source.results.digests.get(digest, kept.digest):
            raise ConfigError(f"{run}: {name} is not the one that it was made with; replay again")
    return Calibrations(_plain(at_once), stepwise and _plain(stepwise))


def _kept(source: Source, name: str) -> RecordedCalibration | None:
    try:
        path: Path = source.record.artifact(name)
    except MissingArtifactError:
        return None
    with naming(name, source.record.run_id):
        return parse_record(RecordedCalibration, path.read_bytes())


def _plain(recorded: RecordedCalibration) -> Calibration:
    return Calibration(**{name: getattr(recorded, name) for name in Calibration.model_fields})


def decision_example(price: Mapping[str, float], learned: Calibrations) -> dict[str, Any]:
    """A request at a price for a decision about an answer that was calibrated on."""
    assert learned.calibration is not None
    question = learned.calibration.questions[0]
    custom = {**price, "decide_only": True, **_known(question)}
    return {"input": [{"role": "user", "content": question.text}], "custom_inputs": custom}


def _known(question: CalibrationQuestion) -> dict[str, Any]:
    """The answer, and how sure it looked."""
    seen = question.answer
    known: dict[str, Any] = {}
    if question.choices:
        known["choices"] = list(question.choices)
    if question.scores:
        known["scores"] = dict(question.scores)
    if seen.probabilities:
        logprobs = [math.log(max(share, 1e-300)) for share in seen.probabilities]
        return {**known, "choice_logprobs": logprobs}
    tokens = [
        {"logprob": logprob, "entropy": entropy, "gap": gap}
        for _, logprob, entropy, gap in seen.tokens
    ]
    return {**known, "answer": seen.text, **({"token_logprobs": tokens} if tokens else {})}


def check_decides(loaded: LoadedPolicy) -> None:
    """Raises `ConfigError` for a policy that looks at more than a caller can say."""
    published = loaded.published
    [message] = published.example["input"]
    for own in published.prices:
        price = named_price(own.retrieval_cost, loaded.spec.money)
        asked = {**published.example["custom_inputs"], **price}
        try:
            loaded.decide_values({"question": message["content"], **asked})
        except RequestError as error:
            raise ConfigError(f"{own.strategy} is not published: {error}") from None
