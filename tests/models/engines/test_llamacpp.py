"""A real llama.cpp server: the same answers as in this process, also when it is killed or slow."""

from __future__ import annotations

import logging
import signal
import struct
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from builders.engine_servers import process_of, server_of
from builders.llama_servers import RELATIVE_TOLERANCE

from argo_ml.config import ExperimentSpec
from argo_ml.devices import limits
from argo_ml.errors import ConfigError, ModelError
from argo_ml.models import LanguageModel, load_model
from argo_ml.models.base import Generation, Prompt, Scoring
from argo_ml.models.engines import llamacpp
from argo_ml.models.engines.opening import DeferredServer
from argo_ml.models.server.model import ServerModel
from argo_ml.models.server.prompting import ByTemplate
from argo_ml.models.unfit import SomeUnfitError
from argo_ml.testing.models import CHOICES, QUESTIONS, SYSTEM, LanguageModelSuite, generation

PARENT = """
import sys, time
from builders.engine_servers import server_of
from argo_ml.config import ExperimentSpec
from argo_ml.models import load_model
model = load_model(ExperimentSpec(**eval(sys.argv[1])))
print(server_of(model).pid, flush=True)
time.sleep(60)
"""
CONTEXT_FIELD = b"llama.context_length"
slow = pytest.mark.slow


@slow
class TestLlamaServer(LanguageModelSuite):
    relative_tolerance = RELATIVE_TOLERANCE

    @pytest.fixture
    def model(self, llama: LanguageModel) -> LanguageModel:
        return llama


def generations(n_requests: int = 8) -> list[Generation]:
    return [
        Generation(Prompt(SYSTEM, f"Number {n}?", "Answer:", history="Facts: none.\n\n"), 5)
        for n in range(n_requests)
    ]


def scorings(n_requests: int = 4) -> list[Scoring]:
    return [Scoring(Prompt(SYSTEM, f"Number {n}?", "Answer:"), CHOICES) for n in range(n_requests)]


@slow
def test_completions_are_those_of_the_model_in_this_process(
    llama: LanguageModel, local: LanguageModel
) -> None:
    for completion, expected in zip(
        llama.generate(generations()), local.generate(generations()), strict=True
    ):
        assert (completion.text, completion.prompt_tokens) == (
            expected.text,
            expected.prompt_tokens,
        )


@slow
def test_tokens_that_mark_reasoning_are_part_of_texts(llama: LanguageModel) -> None:
    prompting: ByTemplate = llama._prompting  # type: ignore[attr-defined]
    [*_, last] = prompting.ids(Prompt("", "Why?"), "<|im_start|>")
    one_token = {"max_tokens": 1, "temperature": 0, **prompting.forcing(last)}

    hidden, shown = (
        replace(prompting, marks=marks).complete(Prompt("", "Why?"), one_token)
        for marks in ((), ("[THINK]", "<|im_start|>"))
    )

    assert prompting.marks == ()
    assert (hidden.text, shown.text) == ("", "<|im_start|>")


@slow
def test_choices_are_scored_as_in_this_process(llama: LanguageModel, local: LanguageModel) -> None:
    for scores, expected in zip(llama.score(scorings()), local.score(scorings()), strict=True):
        assert scores.lengths == expected.lengths == (4, 24, 7)
        assert scores.prompt_tokens == expected.prompt_tokens
        assert scores.log_likelihoods == pytest.approx(
            expected.log_likelihoods, rel=RELATIVE_TOLERANCE
        )


@slow
def test_characters_of_several_tokens_are_scored(
    llama: LanguageModel, local: LanguageModel
) -> None:
    requests = [Scoring(Prompt(SYSTEM, "Where?", "Answer:"), ("北京", "Zürich"))]
    [scores], [expected] = llama.score(requests), local.score(requests)
    assert scores.lengths == expected.lengths == (7, 8)
    assert scores.log_likelihoods == pytest.approx(expected.log_likelihoods, rel=RELATIVE_TOLERANCE)


@slow
def test_a_choice_scores_the_same_at_every_place(llama: LanguageModel) -> None:
    prompt = Prompt(SYSTEM, "A question that nobody has asked before?", "Answer:")
    [ahead] = llama.score([Scoring(prompt, CHOICES)])
    [behind] = llama.score([Scoring(prompt, CHOICES[::-1])])
    assert ahead.log_likelihoods == pytest.approx(behind.log_likelihoods[::-1], abs=1e-6)


@slow
def test_details_are_those_of_the_model_in_this_process(
    llama: LanguageModel, local: LanguageModel
) -> None:
    requests = [replace(request, details=True) for request in generations(3)]
    for completion, expected in zip(
        llama.generate(requests), local.generate(requests), strict=True
    ):
        for token, other in zip(completion.tokens, expected.tokens, strict=True):
            assert token.text == other.text
            assert token.log_probability == pytest.approx(other.log_probability, abs=0.05)


@slow
def test_draws_differ_by_seed_and_repeat(llama: LanguageModel) -> None:
    [request] = generations(1)
    requests = [replace(request, temperature=2.0, seed=seed) for seed in (1, 2, 3, 1)]
    drawn = [completion.text for completion in llama.generate(requests)]
    assert len(set(drawn)) == 3
    assert drawn[0] == drawn[3]


@slow
def test_tokens_are_counted_as_in_this_process(llama: LanguageModel, local: LanguageModel) -> None:
    listed = ["", "one", "Suva is the capital of Fiji."]
    assert llama.count_tokens(listed) == local.count_tokens(listed) == [0, 3, 28]


@slow
def test_identity_is_that_of_the_file_and_the_software(llama: LanguageModel) -> None:
    assert llama.identity.startswith("llamacpp sha256:")
    assert " xllamacpp=" in llama.identity
    assert llama.identity.endswith(" scores=forced")
    assert process_of(llama).url not in llama.identity


@slow
def test_the_context_that_is_known_before_is_the_one_served(
    llama_spec: ExperimentSpec, tmp_path: Path
) -> None:
    whole = Path(llama_spec.model).read_bytes()
    at = whole.index(CONTEXT_FIELD) + len(CONTEXT_FIELD) + 4
    path = tmp_path / "longer.gguf"
    path.write_bytes(whole[:at] + struct.pack("<I", 8192) + whole[at + 4 :])
    asked = {"model": str(path), "evidence_tokens": 3000, "max_new_tokens": 50}
    first, deferred = (load_model(llama_spec.model_copy(update=asked)) for _ in range(2))
    try:
        assert isinstance(first, ServerModel)
        assert isinstance(deferred, DeferredServer)
        assert first.context == deferred.context == 4608
    finally:
        process_of(first).close()


@slow
def test_a_prompt_beyond_the_context_is_refused_and_the_others_answered(
    llama: LanguageModel,
) -> None:
    long = Generation(Prompt(SYSTEM, "word " * 2000), 8)
    with pytest.raises(SomeUnfitError) as caught:
        llama.generate([generation(QUESTIONS[0]), long])
    assert list(caught.value.refused) == [1]
    assert "context" in caught.value.refused[1]


@slow
def test_a_server_that_is_killed_is_started_again_and_changes_no_answer(
    llama: LanguageModel, caplog: pytest.LogCaptureFixture
) -> None:
    expected, n_before = llama.generate(generations(40)), process_of(llama).n_starts
    killing = threading.Timer(0.05, server_of(llama).kill)
    killing.start()
    with caplog.at_level(logging.WARNING):
        again = llama.generate(generations(40))
        killing.join()
        again_after = llama.generate(generations(40))
    for completions in (again, again_after):
        assert [item.text for item in completions] == [item.text for item in expected]
    assert process_of(llama).n_starts == n_before + 1
    assert "engine=llamacpp has ended; it is started again" in caplog.text


@slow
def test_a_server_that_is_slow_is_asked_again(llama_spec: ExperimentSpec) -> None:
    model = load_model(llama_spec.model_copy(update={"request_timeout_s": 0.8}))
    try:
        expected = [item.text for item in model.generate(generations(2))]
        server = server_of(model)
        server.send_signal(signal.SIGSTOP)
        while server.status() != psutil.STATUS_STOPPED:
            time.sleep(0.01)
        threading.Timer(1.2, server.send_signal, [signal.SIGCONT]).start()
        started = time.monotonic()
        assert [item.text for item in model.generate(generations(2))] == expected
        assert time.monotonic() - started > 0.8
        assert process_of(model).n_starts == 1
    finally:
        process_of(model).close()


@slow
def test_the_server_ends_with_a_run_that_is_killed(llama_spec: ExperimentSpec) -> None:
    names = ("model", "engine", "cache_dir", "device", "threads")
    given = llama_spec.model_dump(mode="json")
    values = repr({name: given[name] for name in names})
    paths = [str(Path(__file__).parents[2]), str(Path(__file__).parents[3])]
    run = subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {paths}\n{PARENT}", values],
        stdout=subprocess.PIPE,
    )
    assert run.stdout is not None
    server = psutil.Process(int(run.stdout.readline()))
    guard = server.parent()
    run.kill()
    run.wait()
    gone, alive = psutil.wait_procs([server, *([guard] if guard else [])], timeout=5)
    assert (len(gone), alive) == (2, [])


@slow
def test_a_server_that_never_stays_alive_ends_with_one_line(
    llama_spec: ExperimentSpec, tmp_path: Path
) -> None:
    whole = Path(llama_spec.model).read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="engine=llamacpp: does not stay alive") as caught:
        load_model(llama_spec.model_copy(update={"model": str(tmp_path / "cut.gguf")}))
    assert "\n" not in str(caught.value)


def spec(model: Path, **values: object) -> ExperimentSpec:
    return ExperimentSpec.model_validate({"model": str(model), "engine": "llamacpp", **values})


def test_without_the_package_the_extra_is_named(
    tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llamacpp, "PACKAGE", "no_such_package")
    with pytest.raises(ModelError, match=r"not installed; pip install 'argo_ml\[llamacpp\]'"):
        load_model(spec(tiny_gguf))


def test_a_processor_without_the_instructions_is_told_so(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xllamacpp")
    (tmp_path / "cpuinfo").write_text("flags\t\t: fpu sse4_2 avx f16c\n")
    monkeypatch.setattr(llamacpp, "_PROCESSOR", tmp_path / "cpuinfo")
    monkeypatch.setattr(llamacpp.platform, "machine", lambda: "x86_64")
    with pytest.raises(ModelError, match="this processor lacks avx2, bmi2, fma, which"):
        load_model(spec(tiny_gguf))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"model": "Qwen/Qwen2.5-7B-Instruct"}, "model=Qwen/Qwen2.5-7B-Instruct is no GGUF file"),
        ({"quantization": "4bit"}, "quantization=4bit: engine=llamacpp runs a model as its file"),
        ({"engine": "vllm"}, "is a GGUF file, which vLLM does not run"),
    ],
)
def test_what_an_engine_does_not_run_is_refused(
    tiny_gguf: Path, values: dict[str, str], expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        load_model(ExperimentSpec.model_validate({**spec(tiny_gguf).model_dump(), **values}))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_gguf_is_told_so(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    (tmp_path / "notes.gguf").write_text("these are my notes")
    with pytest.raises(ModelError, match=r"notes\.gguf: is no readable GGUF file"):
        load_model(spec(tmp_path / "notes.gguf"))


def test_one_thread_fewer_than_processors_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(limits, "n_cores", lambda: 8)
    assert (llamacpp.n_threads(None), llamacpp.n_threads(3)) == (7, 3)
    monkeypatch.setattr(limits, "n_cores", lambda: 1)
    assert llamacpp.n_threads(None) == 1
