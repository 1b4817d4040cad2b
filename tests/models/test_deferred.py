from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from argo_ml.config import SweepSpec
from argo_ml.errors import ModelError
from argo_ml.models import deferred, load_model
from argo_ml.models.base import Completion, Generation, Prompt, Scores, Scoring, TokenCounts
from argo_ml.models.deferred import DeferredModel, load_now


@dataclass
class Tiny:
    """Answers every prompt with its own name."""

    identity: str = "tiny"
    tokens: TokenCounts = field(default_factory=lambda: TokenCounts(computed=3))
    events: Sequence[str] = ("halved",)
    batch_tokens: int | None = 512
    thinking_context: int | None = None

    def generate(self, requests: Sequence[Generation]) -> list[Completion]:
        return [Completion(self.identity, 1, 1, 0.0) for _ in requests]

    def score(self, requests: Sequence[Scoring]) -> list[Scores]:
        return []

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]


@dataclass
class Loads:
    """Stands for loading from disk; ``failure`` is what is wrong with the files."""

    n_loaded: int = 0
    identity: str = "tiny"
    failure: str = ""
    thinking_context: int | None = None

    def __call__(self, spec: object, source: object) -> Tiny:
        self.n_loaded += 1
        if self.failure:
            raise ModelError(self.failure)
        return Tiny(self.identity, thinking_context=self.thinking_context)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Loads:
    counted = Loads()
    monkeypatch.setattr(deferred, "_load", counted)
    return counted


@pytest.fixture
def spec(tmp_path: Path) -> SweepSpec:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return SweepSpec(model=str(folder), cache_dir=tmp_path / "cache")


def answer(model: object) -> str:
    assert isinstance(model, (DeferredModel, Tiny))
    [completion] = model.generate([Generation(Prompt("", "?"), 4)])
    return completion.text


def test_a_model_that_was_never_loaded_is_loaded_at_once(loads: Loads, spec: SweepSpec) -> None:
    assert load_model(spec).identity == "tiny"
    assert loads.n_loaded == 1


def test_a_model_that_was_loaded_before_is_loaded_at_the_first_call(
    loads: Loads, spec: SweepSpec
) -> None:
    load_model(spec)
    model = load_model(spec)
    assert isinstance(model, DeferredModel)
    assert (model.identity, model.tokens.computed, model.events) == ("tiny", 0, ())
    assert (loads.n_loaded, model.batch_tokens) == (1, None)
    assert answer(model) == "tiny"
    assert model.batch_tokens == 512
    assert (loads.n_loaded, model.tokens.computed, model.events) == (2, 3, ("halved",))


@pytest.mark.parametrize("options", [{"precision": "bfloat16"}, {"batch_tokens": 512}])
def test_other_options_load_anew(loads: Loads, spec: SweepSpec, options: dict[str, object]) -> None:
    load_model(spec)
    load_model(spec.model_copy(update=options))
    assert loads.n_loaded == 2


def test_how_servers_are_asked_loads_nothing_anew(loads: Loads, spec: SweepSpec) -> None:
    load_model(spec)
    load_model(spec.model_copy(update={"request_timeout_s": 10.0, "server_concurrency": 3}))
    assert loads.n_loaded == 1


def test_other_weights_load_anew(loads: Loads, spec: SweepSpec) -> None:
    load_model(spec)
    (Path(spec.model) / "model.safetensors").write_bytes(b"others!")
    load_model(spec)
    assert loads.n_loaded == 2


def test_a_model_that_may_think_is_refused_without_room_before_it_is_loaded(
    loads: Loads, spec: SweepSpec
) -> None:
    loads.thinking_context = 2048
    load_model(spec)
    assert isinstance(load_model(spec), DeferredModel)
    with pytest.raises(ModelError, match=r"context of 2048 tokens, may think .* needs 2136 or"):
        load_model(spec.model_copy(update={"max_new_tokens": 600}))
    assert loads.n_loaded == 1


def test_a_damaged_memory_of_it_loads_anew(loads: Loads, spec: SweepSpec) -> None:
    load_model(spec)
    [path] = (spec.cache_path / "models" / "opened").iterdir()
    path.write_text(path.read_text().replace("tiny", "tony"))
    assert load_model(spec).identity == "tiny"
    assert loads.n_loaded == 2


def test_a_model_that_cannot_be_loaded_any_more_says_so_at_once_the_next_time(
    loads: Loads, spec: SweepSpec
) -> None:
    load_model(spec)
    loads.failure = "no memory left"
    with pytest.raises(ModelError, match="no memory left"):
        answer(load_model(spec))
    with pytest.raises(ModelError, match="no memory left"):
        load_model(spec)


def test_a_model_that_loads_as_another_gives_no_answer(loads: Loads, spec: SweepSpec) -> None:
    load_model(spec)
    loads.identity = "other"
    with pytest.raises(ModelError, match="loads as other, and as tiny before; run it again"):
        answer(load_model(spec))
    assert load_model(spec).identity == "other"


def test_load_now_gives_the_model_itself(loads: Loads, spec: SweepSpec) -> None:
    load_model(spec)
    assert isinstance(load_now(load_model(spec)), Tiny)
    assert loads.n_loaded == 2
