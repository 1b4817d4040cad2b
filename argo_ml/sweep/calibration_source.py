"""A stored calibration, opened and checked against what it is to be used for."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from argo_ml.calibration.features import FEATURES
from argo_ml.calibration.record import Calibration
from argo_ml.config import ContextSpec, GradingFields
from argo_ml.datasets.jsonl import is_line_number
from argo_ml.datasets.repeats import content_key
from argo_ml.errors import ConfigError
from argo_ml.parsing import MalformedError, parse_record
from argo_ml.results.artifacts import CALIBRATION, SPEC
from argo_ml.results.stored import computing_with, stored_parameters
from argo_ml.types import Question

VALID_FOR = (
    "dataset",
    "top_k",
    "min_similarity",
    "channel_success_rate",
    "evidence_tokens",
    "answering",
)
"""Fields that change what a step finds, beside the contents of model, corpus and prompts."""
DIGESTS: Mapping[str, str] = {
    "model_digest": "another model",
    "corpus_digest": "another corpus",
    "prompts_digest": "another version of the prompts",
}
_AGAIN = "make one for this: argo-ml calibrate"
_WITH_STATES = (
    "has no hidden states; make one with argo-ml calibrate --hidden_states true, or leave "
    "hidden_states out"
)
_WITHOUT_STATES = "was made with hidden_states=true; give hidden_states=true here as well"
logger = logging.getLogger(__name__)


def open_calibration(spec: ContextSpec) -> Calibration | None:
    """The calibration that the spec names by a run id or a file; None where it names none.

    Raises `ConfigError` for what is none and `TrackingError` for a run that is not there.
    """
    if not spec.calibration:
        return None
    if (path := _file(spec.calibration)) is not None:
        return _read(path, spec.calibration)
    # MLflow takes seconds to import, and most experiments open no stored run.
    from argo_ml.tracking.runs import store_of_runs

    store = store_of_runs(spec.tracking_uri)
    run_id = store.find(spec.calibration).info.run_id
    with tempfile.TemporaryDirectory() as folder:
        return _read(store.download(run_id, CALIBRATION, Path(folder)), spec.calibration)


def made_with(calibration: str, tracking_uri: str) -> dict[str, Any]:
    """The parameters of a calibration, by a run id or a file; a run knows where documents lie.

    Raises as `open_calibration` does.
    """
    if (path := _file(calibration)) is not None:
        return dict(_read(path, calibration).spec)
    from argo_ml.tracking.runs import store_of_runs

    store = store_of_runs(tracking_uri)
    run_id = store.find(calibration).info.run_id
    with tempfile.TemporaryDirectory() as folder:
        made = _read(store.download(run_id, CALIBRATION, Path(folder)), calibration)
        path = store.download(run_id, SPEC, Path(folder))
        stored = stored_parameters(path, run_id)
    return {**made.spec, "documents": stored.get("documents", "")}


def _file(calibration: str) -> Path | None:
    """The file that ``calibration`` names; None for what must be a run id.

    Raises `ConfigError` for a file that is not there.
    """
    path = Path(calibration).expanduser()
    if path.is_dir():
        path = path / CALIBRATION
    if path.exists():
        return path
    if "/" in calibration or path.suffix == ".json":
        raise ConfigError(f"calibration={calibration}: no such file")
    return None


def check_contents(calibration: Calibration, spec: ContextSpec, digests: Mapping[str, str]) -> None:
    """Raise `ConfigError` for a calibration that was made with another model, another corpus or
    other prompts."""
    for key, what in DIGESTS.items():
        before = calibration.digests.get(key)
        if before != digests[key]:
            raise ConfigError(
                f"calibration={spec.calibration}: was made with {what} ({key} {before}, here "
                f"{digests[key]}); {_AGAIN}"
            )


def check_usable(
    calibration: Calibration,
    spec: ContextSpec,
    digests: Mapping[str, str],
) -> None:
    """Raise `ConfigError` for a calibration that was made for something else."""
    name, again = f"calibration={spec.calibration}", _AGAIN
    check_contents(calibration, spec, digests)
    here = {**spec.model_dump(mode="json"), "max_new_tokens": spec.generation_limit}
    for key in (*VALID_FOR, "max_new_tokens"):
        before = calibration.spec.get(key)
        if before != here[key]:
            raise ConfigError(f"{name}: was made with {key}={before}, here {here[key]}; {again}")
    if calibration.has_hidden_states != spec.hidden_states:
        raise ConfigError(f"{name}: {_WITH_STATES if spec.hidden_states else _WITHOUT_STATES}")
    n_features = len(calibration.feature_names) - sum(calibration.optional_features)
    if calibration.feature_names[:n_features] != tuple(FEATURES)[:n_features]:
        raise ConfigError(f"{name}: was made with other features than this argo_ml has; {again}")


def check_judged(
    calibration: Calibration,
    spec: ContextSpec,
    questions: Sequence[Question],
    is_begun: bool = False,
) -> None:
    """Raise `ConfigError` for a calibration that does not go with the judging of these questions.

    It was made on some of them, whatever their ids, or another scorer judged its answers. An
    experiment that ``is_begun`` goes on with questions that earlier versions took for others.
    """
    name = f"calibration={spec.calibration}"
    scorer = calibration.spec.get("scorer", GradingFields().scorer)
    if scorer != spec.scorer:
        raise ConfigError(
            f"{name}: was made with scorer={scorer}, here {spec.scorer}; make one for this: "
            "argo-ml calibrate"
        )
    check_unseen(calibration, spec, questions, is_begun)
    before = calibration.asked_difficulty
    if before and before != spec.difficulty:
        logger.warning(
            "%s: was made on difficulty=%s, this is difficulty=%s; p-hat may be off",
            name,
            before,
            spec.difficulty,
        )


def check_unseen(
    calibration: Calibration,
    spec: ContextSpec,
    questions: Sequence[Question],
    is_begun: bool = False,
) -> None:
    """Raise `ConfigError` for a calibration that was made on some of these questions."""
    name = f"calibration={spec.calibration}"
    keys = {own.id: content_key(own.question) for own in calibration.questions}
    shared = sorted(question.id for question in questions if _is_same(question, keys))
    if shared:
        raise ConfigError(
            f"split={spec.split} shares {len(shared)} questions with {name}, such as {shared[0]}; "
            "use another split"
        )
    ids = {key: own_id for own_id, key in keys.items()}
    seen = {own.id: ids[key] for own in questions if (key := content_key(own)) in ids}
    if not seen:
        return
    first = min(seen)
    message = (
        f"split={spec.split} asks {len(seen)} questions in the same words as {name} under other "
        f"ids, such as {first}, which is {seen[first]} there"
    )
    if is_begun:
        logger.warning("%s; what is fitted may know them", message)
        return
    where = f"questions={spec.questions or spec.dataset}"
    raise ConfigError(f"{message}; leave them out of {where}, or make the calibration without them")


def _is_same(question: Question, keys: Mapping[str, bytes]) -> bool:
    """Whether one of that id calibrates; the number of a line is the same in every file."""
    if is_line_number(question.id):
        return keys.get(question.id) == content_key(question)
    return question.id in keys


def _read(path: Path, given: str) -> Calibration:
    try:
        calibration = parse_record(Calibration, path.read_bytes())
    except OSError as error:
        raise ConfigError(f"calibration={given}: cannot be read ({error})") from None
    except MalformedError as error:
        raise ConfigError(
            f"calibration={given}: {error}; give the run id of argo-ml calibrate"
        ) from None
    with computing_with(CALIBRATION, given):
        _use(calibration)
    return calibration


def _use(calibration: Calibration) -> None:
    """Raises whatever values that do not go together end in, before a sweep begins with them."""
    _ = calibration.exploration
    for question in calibration.questions:
        calibration.confidence(question.state())
