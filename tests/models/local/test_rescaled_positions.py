"""longrope: the longest row of a pass decides how the positions of all its rows are scaled."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from argo_ml.models.base import Generation, Prompt, Scoring
from argo_ml.models.local.transformers_model import TransformersModel, rescaled_from
from tests.builders.tiny_architectures import tiny_config

LIMIT = 40
PROMPTS = [Prompt("", "ab " * n) for n in (4, 9, 12, 30)]
"""The third passes the limit on its way, the last begins beyond it."""


def opened(folder: Path) -> TransformersModel:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = None
    scaling = {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "short_factor": [1.0] * 4,
        "long_factor": [1.0, 2.0, 4.0, 8.0],
        "original_max_position_embeddings": LIMIT,
    }
    own = {"vocab_size": len(tokenizer), "eos_token_id": None, "rope_parameters": scaling}
    values = {**tiny_config("phi3").to_dict(), "original_max_position_embeddings": LIMIT, **own}
    torch.manual_seed(0)
    library = AutoModelForCausalLM.from_config(AutoConfig.for_model(**values), dtype=torch.float32)
    return TransformersModel(library.eval(), tokenizer, "tiny", "float32", 4096, 2**22)


@pytest.fixture(scope="module")
def model(tiny_folder: Path) -> TransformersModel:
    return opened(tiny_folder)


def test_prompts_are_what_the_tests_take_them_for(model: TransformersModel) -> None:
    lengths = [len(prompt.ids) for prompt in model._chat.encode_prompts(PROMPTS)]
    assert lengths[1] + 8 <= LIMIT
    assert lengths[2] <= LIMIT < lengths[2] + 8
    assert lengths[3] > LIMIT


def test_answers_do_not_depend_on_the_longest_prompt_beside_them(
    model: TransformersModel, tiny_folder: Path
) -> None:
    requests = [Generation(prompt, 8, stop=()) for prompt in PROMPTS]
    scorings = [Scoring(prompt, ("a b a b a b", "b")) for prompt in PROMPTS]
    alone = [opened(tiny_folder) for _ in PROMPTS]
    texts = [one.generate([request])[0].text for one, request in zip(alone, requests, strict=True)]
    scores = [one.score([scoring])[0] for one, scoring in zip(alone, scorings, strict=True)]

    for _ in range(2):
        assert [reply.text for reply in model.generate(requests)] == texts
        for found, expected in zip(model.score(scorings), scores, strict=True):
            assert found.normalised == pytest.approx(expected.normalised, abs=1e-4)


def test_kept_beginnings_are_forgotten_once_in_a_call_of_all_kinds(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, n_cleared = opened(tiny_folder), list[int]()
    clear = model._prefixes.clear
    monkeypatch.setattr(model._prefixes, "clear", lambda: (n_cleared.append(1), clear()))
    for n_calls in (1, 2):
        model.generate([Generation(prompt, 8, stop=()) for prompt in PROMPTS])
        assert len(n_cleared) == n_calls


def test_other_positions_have_no_limit() -> None:
    assert rescaled_from(tiny_config("llama")) > 10**9
    assert rescaled_from(tiny_config("gemma3_text")) > 10**9
