"""What ``precision=auto`` comes to, said in the spec before anything is opened or stored."""

from __future__ import annotations

import logging
from typing import TypeVar

from argo_ml.config import ModelFields, PlanSpec, Spec
from argo_ml.devices.choosing import choose_gpus
from argo_ml.devices.cuda import count_gpus
from argo_ml.devices.processor import multiplies_bfloat16
from argo_ml.models.opening import runs_here

logger = logging.getLogger(__name__)
SpecType = TypeVar("SpecType", bound=Spec)


def with_precision(spec: SpecType) -> SpecType:
    """``spec`` with bfloat16 for auto, where a model is to run on a CPU that multiplies it fastest.

    What goes on with a stored run or follows a calibration computes as those did, and Ray's workers
    may have other processors: their auto stays, which on a CPU is float32. Raises `ModelError` for
    GPUs that are not there.
    """
    if isinstance(spec, (ModelFields, PlanSpec)):
        is_faster = _may_choose(spec) and multiplies_bfloat16() and not _gpus(spec)
    else:
        is_faster = False
    if is_faster:
        logger.info(
            "precision=bfloat16, which this processor multiplies fastest (AMX); "
            "precision=float32 computes as other processors do"
        )
    return spec.model_copy(update={"precision": "bfloat16"}) if is_faster else spec


def _gpus(spec: ModelFields | PlanSpec) -> tuple[int, ...]:
    return choose_gpus(spec.device, spec.gpus, count_gpus())


def _may_choose(spec: ModelFields | PlanSpec) -> bool:
    follows = any(getattr(spec, name, None) for name in ("resume", "calibration", "devices"))
    is_elsewhere = getattr(spec, "executor", None) == "ray"
    is_open = spec.precision == "auto" and spec.opens_model
    return is_open and not follows and not is_elsewhere and runs_here(spec)
