"""What the run must know of a server before it is started, and which GPUs the server may use."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from argo_ml.config import ModelSpec
from argo_ml.devices.choosing import choose_gpus
from argo_ml.devices.cuda import count_visible_gpus
from argo_ml.devices.visible import HIP_VISIBLE, VISIBLE, names_of
from argo_ml.models.engines.process import Command
from argo_ml.models.server.contexts import needed_tokens

LONGEST_CONTEXT = 4096
"""Tokens of a prompt and its answer together, where the model takes as many and no more are needed.
"""


@dataclass(frozen=True, slots=True)
class EngineFiles:
    """What a server is to run, as files say before it is started.

    ``contents`` stands for the model's files and ``versions`` for the software's builds; without
    versions the software may be another one tomorrow. Of a prompt and its answer the server is to
    take ``context`` tokens.
    """

    contents: str
    versions: Sequence[str]
    context: int


@dataclass(frozen=True, slots=True)
class PreparedServer:
    """How a server is started, and what tells its model and software from others.

    ``name`` is what it calls its model (empty: the only one it has), and ``n_at_once`` how many
    requests it is to have under way.
    """

    command: Command
    name: str
    identity: str
    n_at_once: int


def longest_context(spec: ModelSpec) -> int:
    """The context that a server is given where its model takes as much.

    Whether the model thinks is known once it is served, so there is room for that in any case.
    """
    return max(LONGEST_CONTEXT, needed_tokens(spec) + spec.thinking_tokens)


def is_editable(direct_url: str) -> bool:
    """Whether a distribution's `direct_url.json` (PEP 610; empty: it has none) says that its code
    may change where it is."""
    try:
        return bool(json.loads(direct_url)["dir_info"]["editable"])
    except (ValueError, KeyError, TypeError):
        return False


def gpu_environment(spec: ModelSpec) -> Mapping[str, str]:
    """Shows a server the GPUs that were chosen among those that this process sees.

    Raises `ModelError` for GPUs that are not there.
    """
    gpus = choose_gpus(spec.device, spec.gpus, count_visible_gpus())
    if spec.device == "cpu":
        # Nothing for both would hide nothing from AMD's runtime.
        return {VISIBLE: "", HIP_VISIBLE: "-1"}
    if not spec.gpus:
        return {}
    hip = os.environ.get(HIP_VISIBLE)
    names = names_of(gpus, hip or os.environ.get(VISIBLE))
    # vLLM refuses two that differ.
    return {VISIBLE: names, HIP_VISIBLE: names} if hip else {VISIBLE: names}
