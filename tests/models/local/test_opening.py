"""How large a batch may be now, by what others and this process have taken of memory."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from argo_ml.config import ContextSpec, build
from argo_ml.devices import limits
from argo_ml.errors import ModelError
from argo_ml.models import load_model
from argo_ml.models.base import Generation, Prompt
from argo_ml.models.deferred import load_now
from argo_ml.models.local.batching import DoesNotFit
from argo_ml.models.local.opening import fitting_now
from argo_ml.models.local.transformers_model import TransformersModel
from argo_ml.models.placement.batch_memory import fitting_cpu_tokens
from argo_ml.models.placement.plan import PlacementPlan

GB = 10**9
PLAN = PlacementPlan((), {"": "cpu"}, GB, 20_000, True, prefix_bytes=GB, token_bytes=100_000)
OWN_BEFORE = GB


@pytest.fixture
def thinking_folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A model of 1,024 tokens' context whose tokenizer knows <think>."""
    folder = tmp_path / "thinking"
    shutil.copytree(tiny_folder, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<think>"])
    tokenizer.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    shortened = {**config, "max_position_embeddings": 1024}
    (folder / "config.json").write_text(json.dumps(shortened), "utf-8")
    return folder


@pytest.mark.parametrize(
    ("available_gb", "own_gb", "room_gb", "left_gb"),
    [
        pytest.param(6, 2, 8, 5, id="just loaded"),
        pytest.param(4, 4, 8, 5, id="with what batches have taken"),
        pytest.param(2, 2, 8, 1, id="after others have taken four"),
        pytest.param(6, 2, 4, 2, id="beside another like it"),
        pytest.param(4, 3, 4, 2, id="beside another, each with batches of one"),
        pytest.param(6, 1, 4, 2, id="beside another, with weights that are mapped"),
        pytest.param(0, 2, 8, -1, id="with nothing left"),
    ],
)
def test_a_batch_follows_what_is_free_but_for_what_this_process_has_taken(
    available_gb: int, own_gb: int, room_gb: int, left_gb: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "available_bytes", lambda: available_gb * GB)
    monkeypatch.setattr(limits, "own_bytes", lambda: own_gb * GB)
    monkeypatch.setattr(limits, "room_bytes", lambda: room_gb * GB)
    assert fitting_now(PLAN, OWN_BEFORE) == fitting_cpu_tokens(PLAN.token_bytes, left_gb * GB)


@pytest.mark.parametrize(
    ("free_bytes", "advice"), [(64 * GB, "precision=bfloat16"), (0, "use a smaller model")]
)
def test_advice_where_memory_ran_out_goes_by_what_is_free_then(
    tiny_folder: Path,
    tmp_path: Path,
    free_bytes: int,
    advice: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise DoesNotFit("out of memory for a single request", {})

    asked = {"model": str(tiny_folder), "cache_dir": tmp_path, "device": "cpu"}
    model = load_now(load_model(build(ContextSpec, {**asked, "precision": "float32"})))
    monkeypatch.setattr(TransformersModel, "generate", fail)
    monkeypatch.setattr(limits, "available_bytes", lambda: free_bytes)
    with pytest.raises(ModelError, match=f"out of memory for a single request; {advice}"):
        model.generate([Generation(Prompt("", "Why?"), 4)])


def test_a_model_that_may_think_is_refused_without_room_for_it(
    thinking_folder: Path, tmp_path: Path
) -> None:
    values = {"model": str(thinking_folder), "cache_dir": tmp_path, "device": "cpu"}
    with pytest.raises(ModelError, match=r"context of 1024 .* needs 1586 .*=1024 for") as caught:
        load_model(build(ContextSpec, values))
    assert "\n" not in str(caught.value)

    model = load_model(build(ContextSpec, {**values, "thinking_tokens": 400}))

    assert model.identity.endswith(" thinking=400")
    # It was loaded before, and is not loaded now.
    with pytest.raises(ModelError, match=r"may think .* needs 1112 or more"):
        load_model(build(ContextSpec, {**values, "thinking_tokens": 400, "max_new_tokens": 200}))
