from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from argo_ml.config import ExperimentSpec
from argo_ml.errors import ModelError
from argo_ml.models import LanguageModel, load_model
from argo_ml.models.base import Generation, Prompt, Scoring
from argo_ml.models.hidden_states import N_LAYERS, N_PROJECTIONS, HiddenState
from argo_ml.models.local.hidden_states import read_layers

pytestmark = pytest.mark.slow

HISTORY = "Facts:" + "".join(f"\n- Fact number {n} is not {n * 37}." for n in range(9))
PROMPTS = (
    Prompt("Answer.", "What is the capital of Fiji?", prefix="Answer:"),
    Prompt("Answer.", "\nWhich fact is the last?", history=HISTORY),
    Prompt("Answer.", "\nWhich fact is the first, and which one comes after it?", history=HISTORY),
)
CHOICES = ("Suva", "the city of Lima in Peru")


def opened(folder: Path, cache: Path, **fields: Any) -> LanguageModel:
    return load_model(ExperimentSpec(model=str(folder), cache_dir=cache, device="cpu", **fields))


@pytest.fixture(scope="module")
def fast(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return opened(tiny_folder, tmp_path_factory.mktemp("cache"), prefix_cache_mb=64)


def scored(model: LanguageModel, prompts: Sequence[Prompt]) -> list[HiddenState]:
    requests = [Scoring(prompt, CHOICES, hidden_state=True) for prompt in prompts]
    return [scores.hidden_state for scores in model.score(requests)]


def written(model: LanguageModel, prompts: Sequence[Prompt]) -> list[HiddenState]:
    requests = [Generation(prompt, 4, hidden_state=True) for prompt in prompts]
    return [completion.hidden_state for completion in model.generate(requests)]


def test_a_prompt_has_one_state_in_a_batch_alone_scored_and_written(fast: LanguageModel) -> None:
    together = np.array(scored(fast, PROMPTS))
    alone = np.array([scored(fast, [prompt])[0] for prompt in PROMPTS])

    assert together.shape == (3, N_LAYERS * N_PROJECTIONS)
    assert alone == pytest.approx(together, abs=0.01)
    assert np.array(written(fast, PROMPTS)) == pytest.approx(together, abs=0.01)
    assert np.abs(together[0] - together[1]).max() > 0.5


def test_the_plain_path_tells_the_same_state(
    fast: LanguageModel, tiny_folder: Path, tmp_path: Path
) -> None:
    plain = opened(tiny_folder, tmp_path, engine="plain")

    expected = np.array(scored(fast, PROMPTS))

    assert np.array(scored(plain, PROMPTS)) == pytest.approx(expected, abs=0.01)
    assert np.array(written(plain, PROMPTS)) == pytest.approx(expected, abs=0.01)


def test_who_asks_for_no_state_gets_none_and_the_same_answer(fast: LanguageModel) -> None:
    asking = Scoring(PROMPTS[0], CHOICES, hidden_state=True)

    with_state, without = fast.score([asking, replace(asking, hidden_state=False)])

    assert with_state.hidden_state
    assert without.hidden_state == ()
    assert with_state.log_likelihoods == pytest.approx(without.log_likelihoods, rel=1e-5)


def test_the_last_layer_and_those_at_equal_distances_are_read() -> None:
    layers = torch.nn.ModuleList(torch.nn.Linear(1, 1) for _ in range(30))
    read = read_layers(_Model(layers, n_layers=30))
    assert [list(layers).index(layer) for layer in read] == [6, 14, 21, 29]


def test_a_model_without_a_list_of_its_layers_is_refused() -> None:
    with pytest.raises(ModelError, match=r"^hidden_states=true: architecture odd has no list of "):
        read_layers(_Model(torch.nn.ModuleList([torch.nn.Linear(1, 1)]), n_layers=30))


class _Model(torch.nn.Module):
    def __init__(self, layers: torch.nn.ModuleList, n_layers: int) -> None:
        super().__init__()
        self.layers = layers
        text = SimpleNamespace(num_hidden_layers=n_layers)
        self.config = SimpleNamespace(model_type="odd", get_text_config=lambda decoder: text)
