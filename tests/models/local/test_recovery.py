"""Memory that runs out at any stage: the model goes on, and no answer changes."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import small_study
from builders.places import linked_cache
from mlflow import MlflowClient
from transformers import AutoModelForCausalLM, AutoTokenizer

from argo_ml.config import SweepSpec, build
from argo_ml.errors import ModelError
from argo_ml.models.base import Generation, InterruptedRequests, Prompt, TokenCounts
from argo_ml.models.cache.caching import CachingModel, CallCache
from argo_ml.models.local import loading
from argo_ml.models.local.batching import DoesNotFit
from argo_ml.models.local.recovery import RecoveringModel
from argo_ml.models.local.transformers_model import TransformersModel
from argo_ml.models.placement.plan import PlacementPlan
from argo_ml.models.unfit import SomeUnfitError
from argo_ml.sweep.running import run_sweep
from argo_ml.testing.models import CHOICES, QUESTIONS, LanguageModelSuite, generation, scoring
from argo_ml.tracking.runs import WARNING

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_figures")]

CPU = PlacementPlan((), {"": "cpu"}, 0, 4096, True)
REQUESTS = [Generation(Prompt("", f"Number {n}"), 3, stop=()) for n in range(6)]


class Loader:
    """Gives copies of a model as if loaded; what is to run out of memory is set before."""

    def __init__(self, library: Any, tokenizer: Any) -> None:
        self._library, self._tokenizer = library, tokenizer
        self.n_loads = 0
        self.rows: list[int] = []
        self.fails_at_load = 0
        self.fails_at_forward: Callable[[int], bool] = lambda n_forwards: False

    def __call__(self, plan: PlacementPlan, on_event: Callable[[str], None]) -> TransformersModel:
        self.n_loads += 1
        if self.n_loads <= self.fails_at_load:
            raise torch.OutOfMemoryError("CUDA out of memory")
        library = copy.deepcopy(self._library)

        def count(module: Any, arguments: Any, named: dict[str, Any]) -> None:
            self.rows.append(named["input_ids"].shape[0])
            if self.fails_at_forward(len(self.rows)):
                raise torch.OutOfMemoryError("CUDA out of memory")

        library.register_forward_pre_hook(count, with_kwargs=True)
        tokenizer = copy.deepcopy(self._tokenizer)
        return TransformersModel(library, tokenizer, "tiny", "float32", 4096, on_event=on_event)


@pytest.fixture(scope="module")
def make_loader(tiny_folder: Path) -> Callable[[], Loader]:
    library = AutoModelForCausalLM.from_pretrained(tiny_folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(tiny_folder)
    return lambda: Loader(library, tokenizer)


@pytest.fixture
def loader(make_loader: Callable[[], Loader]) -> Loader:
    return make_loader()


def open_with(loader: Loader, n_plans: int = 2) -> RecoveringModel:
    return RecoveringModel("tiny", loader, iter([CPU] * n_plans))


def test_what_is_too_long_is_refused_by_its_place_also_after_loading_again(loader: Loader) -> None:
    long = Generation(Prompt("", "Number " * 4000), 3, stop=())
    model = open_with(loader)
    loader.fails_at_forward = lambda n_forwards: n_forwards == 1 and loader.n_loads == 1
    with pytest.raises(SomeUnfitError) as caught:
        model.generate([REQUESTS[0], long])
    assert (list(caught.value.refused), list(caught.value.finished)) == ([1], [0])
    assert loader.n_loads == 2


def texts(model: RecoveringModel) -> list[str]:
    return [completion.text for completion in model.generate(REQUESTS)]


class TestRecoveringModel(LanguageModelSuite):
    @pytest.fixture
    def model(self, calm: RecoveringModel) -> RecoveringModel:
        return calm


@pytest.fixture(scope="module")
def calm(make_loader: Callable[[], Loader]) -> RecoveringModel:
    """A model that never runs out of memory."""
    return open_with(make_loader())


def test_while_loading(loader: Loader, calm: RecoveringModel) -> None:
    expected = texts(calm)
    loader.fails_at_load = 1
    model = open_with(loader)
    assert texts(model) == expected
    assert model.events == ("out of memory while loading; loading again on the CPU",)


@pytest.mark.parametrize("n_forward", [1, 10])
def test_in_a_batch(loader: Loader, calm: RecoveringModel, n_forward: int) -> None:
    expected = texts(calm)
    loader.fails_at_forward = lambda n_forwards: n_forwards == n_forward
    model = open_with(loader)
    before = model.batch_tokens
    assert [texts(model) for _ in range(5)] == [expected] * 5
    [event] = model.events
    assert event.startswith("out of memory with a batch of ")
    assert model.batch_tokens < before
    assert loader.n_loads == 1


def test_with_single_requests_the_model_is_loaded_again_and_finished_ones_are_kept(
    loader: Loader, calm: RecoveringModel
) -> None:
    expected = texts(calm)
    # Nothing but the first single request fits, until the model is loaded again.
    loader.fails_at_forward = lambda n_forwards: (
        loader.n_loads == 1 and (loader.rows[-1] > 1 or loader.rows.count(1) > 3)
    )
    model = open_with(loader)
    assert texts(model) == expected
    assert loader.n_loads == 2
    *_, last = model.events
    assert last.startswith("out of memory for a single request of ")
    assert last.endswith("; loading again on the CPU")


def test_a_stop_comes_with_what_was_answered_before_memory_ran_out_and_after() -> None:
    ends = iter([DoesNotFit("too large", {0: "first"}), InterruptedRequests({1: "third"}, 0)])

    class Ending:
        thinking_context = None
        identity, tokens, batch_tokens, requests_at_once = "tiny", TokenCounts(), 100, 1

        def generate(self, requests: Any) -> Any:
            raise next(ends)

    def load(plan: PlacementPlan, on_event: Callable[[str], None]) -> Any:
        return Ending()

    model = RecoveringModel("tiny", load, iter([CPU, CPU]))
    with pytest.raises(InterruptedRequests) as caught:
        model.generate(REQUESTS[:3])
    assert caught.value.finished == {0: "first", 2: "third"}


def test_draws_and_details_are_the_same_after_loading_again(
    loader: Loader, calm: RecoveringModel
) -> None:
    requests = [replace(item, temperature=1.0, details=True) for item in REQUESTS]
    expected = calm.generate(requests)
    loader.fails_at_forward = lambda n_forwards: (
        loader.n_loads == 1 and (loader.rows[-1] > 1 or loader.rows.count(1) > 3)
    )
    completions = open_with(loader).generate(requests)
    assert loader.n_loads == 2
    assert [item.text for item in completions] == [item.text for item in expected]
    assert (
        [len(item.tokens) for item in completions]
        == [len(item.tokens) for item in expected]
        == [3] * 6
    )


def test_scores_too(loader: Loader, calm: RecoveringModel) -> None:
    requests = [scoring(question, CHOICES) for question in QUESTIONS]
    expected = calm.score(requests)
    loader.fails_at_forward = lambda n_forwards: loader.n_loads == 1
    scores = open_with(loader).score(requests)
    for after, other in zip(scores, expected, strict=True):
        assert after.log_likelihoods == pytest.approx(other.log_likelihoods, abs=1e-4)


def test_tokens_of_both_loads_are_counted(loader: Loader) -> None:
    loader.fails_at_forward = lambda n_forwards: loader.n_loads == 1 and n_forwards > 2
    model = open_with(loader)
    texts(model)
    assert loader.n_loads == 2
    assert model.tokens.computed > 0


@pytest.mark.parametrize("stage", ["load", "batch"])
def test_without_another_plan_the_error_says_what_would_help(loader: Loader, stage: str) -> None:
    if stage == "load":
        loader.fails_at_load = 9
    else:
        loader.fails_at_forward = lambda n_forwards: True
    with pytest.raises(ModelError, match=r"model=tiny: out of memory .*; use a smaller model"):
        open_with(loader).generate([generation(QUESTIONS[0])])


def test_what_was_answered_before_memory_was_out_for_good_is_kept(
    loader: Loader, calm: RecoveringModel, tmp_path: Path
) -> None:
    loader.fails_at_forward = lambda n_forwards: (
        loader.rows[-1] > 1 or loader.rows.count(1) > 3 or loader.n_loads > 1
    )
    model, cache = open_with(loader), CallCache(tmp_path / "calls.sqlite")
    batch_tokens = model.batch_tokens

    with pytest.raises(ModelError, match="use a smaller model"):
        CachingModel(model, cache, "run").generate(REQUESTS)

    assert cache.stats().entries["generate"] == 1
    assert model.identity == calm.identity
    assert 0 < model.batch_tokens < batch_tokens
    with pytest.raises(ModelError, match="could not be loaded again"):
        model.generate(REQUESTS)


def test_each_step_is_logged(loader: Loader, caplog: pytest.LogCaptureFixture) -> None:
    loader.fails_at_load = 1
    with caplog.at_level(logging.WARNING):
        model = open_with(loader)
    assert [record.getMessage() for record in caplog.records] == list(model.events)


class Faults:
    """Loads weights as the package does; the n-th load or forward pass runs out of memory."""

    def __init__(self, load_weights: Callable[..., Any]) -> None:
        self._load_weights = load_weights
        self.n_loads = self.n_forwards = 0
        self.fails_at_load = self.fails_at_forward = 0

    def __call__(self, *arguments: Any) -> Any:
        self.n_loads += 1
        if self.n_loads == self.fails_at_load:
            raise torch.OutOfMemoryError("CUDA out of memory")
        model = self._load_weights(*arguments)
        model.register_forward_pre_hook(self._count)
        return model

    def _count(self, module: Any, arguments: Any) -> None:
        self.n_forwards += 1
        if self.n_forwards == self.fails_at_forward:
            raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.fixture
def sweep_values(tmp_path: Path, tiny_folder: Path, tracking_uri: str) -> dict[str, Any]:
    return {
        **small_study.write(tmp_path),
        "model": str(tiny_folder),
        "device": "cpu",
        "n_questions": "3",
        "tracking_uri": tracking_uri,
        "prefix_cache_mb": "0",
    }


def sweep_rows(values: dict[str, Any], cache: Path) -> tuple[str, list[dict[str, Any]]]:
    results = run_sweep(build(SweepSpec, {**values, "cache_dir": cache}))
    rows = [
        row.model_dump(exclude={"lm_seconds"}) for cell in results.cells for row in cell.questions
    ]
    return results.sweep_id, rows


def test_a_sweep_ends_with_the_same_results_wherever_memory_ran_out(
    sweep_values: dict[str, Any],
    tmp_path: Path,
    warm_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, expected = sweep_rows(sweep_values, linked_cache(warm_cache, tmp_path / "calm"))
    client = MlflowClient(sweep_values["tracking_uri"])
    load_weights = loading.load_weights
    for stage, n in (("load", 1), ("forward", 1), ("forward", 10)):
        faults = Faults(load_weights)
        setattr(faults, f"fails_at_{stage}", n)
        monkeypatch.setattr(loading, "load_weights", faults)
        sweep_id, rows = sweep_rows(
            sweep_values, linked_cache(warm_cache, tmp_path / f"{stage}{n}")
        )
        assert rows == expected
        assert faults.n_loads == (2 if stage == "load" else 1)
        assert client.get_run(sweep_id).data.tags[WARNING].startswith("out of memory")


def test_the_last_error_ends_with_what_helps_then(loader: Loader) -> None:
    loader.fails_at_load = 1
    with pytest.raises(ModelError, match=r"^model=tiny: out of memory while loading; do this$"):
        RecoveringModel("tiny", loader, iter([CPU]), lambda: "do this")
