"""A pipeline is asked once per question and variant, and what it answers is kept."""

from __future__ import annotations

import asyncio
import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from argo_ml.errors import ModelError
from argo_ml.models.cache.store import CallCache, Entry
from argo_ml.progress import ignore_progress
from argo_ml.recording.answers import OutcomeValues
from argo_ml.recording.calling import Limits, PipelineCalls
from argo_ml.types import Question

QUESTIONS = [Question(f"q{number}", f"Question {number}?", ("yes",)) for number in range(6)]


class Asking:
    """A callable that remembers what it was asked."""

    def __init__(self, answer: Callable[[str], Any] = lambda text: f"to {text}") -> None:
        self.batches: list[list[str]] = []
        self._answer = answer

    def __call__(self, texts: list[str]) -> list[Any]:
        self.batches.append(texts)
        return [self._answer(text) for text in texts]

    @property
    def texts(self) -> list[str]:
        return [text for batch in self.batches for text in batch]


@pytest.fixture
def cache(tmp_path: Path) -> CallCache:
    return CallCache(tmp_path / "calls.sqlite")


def answers(
    cache: CallCache,
    function: Callable[..., Any],
    version: str = "1",
    plan: str = "none",
    questions: Sequence[Question] = QUESTIONS,
    limits: Limits = Limits(batch_size=2, concurrency=1, max_retries=0),  # noqa: B008
    on_progress: Callable[[str, int, int], None] = ignore_progress,
    clock: Callable[[], float] = time.perf_counter,
) -> list[OutcomeValues]:
    with closing(PipelineCalls(f"pipeline:mine@{version}", cache, "run", limits, clock)) as calls:
        asked = [calls.call(question, plan, question.text) for question in questions]
        given = calls.answer(function, asked, on_progress)
        calls.check()
    return list(given.values())


def test_answers_come_in_the_order_of_questions_and_in_batches(cache: CallCache) -> None:
    asking = Asking()
    given = answers(cache, asking)
    assert [outcome["answer"] for outcome in given] == [f"to Question {n}?" for n in range(6)]
    assert [len(batch) for batch in asking.batches] == [2, 2, 2]


def test_nothing_is_asked_twice_but_by_another_variant_or_version(cache: CallCache) -> None:
    asking = Asking()
    first = answers(cache, asking)
    assert answers(cache, asking) == first
    assert len(asking.texts) == 6
    answers(cache, asking, plan="retrieve")
    answers(cache, asking, version="2")
    assert len(asking.texts) == 18


def test_questions_of_the_same_text_are_asked_once(cache: CallCache) -> None:
    asking = Asking()
    twins = [Question("a", "The same?", ("yes",)), Question("b", "The same?", ("no",))]
    assert len(answers(cache, asking, questions=twins)) == 2
    assert asking.texts == ["The same?"]


def test_a_callable_that_raises_loses_no_answer_and_is_gone_on_with(cache: CallCache) -> None:
    def failing(text: str) -> str:
        if text == "Question 3?":
            raise ConnectionError("the gateway\nis down")
        return text

    with pytest.raises(
        ModelError, match=r"without retrieval, question 'q3': raised ConnectionError: the g"
    ):
        answers(cache, Asking(failing))
    asking = Asking()
    answers(cache, asking)
    assert asking.texts == ["Question 3?"]


def test_all_that_could_not_be_answered_are_named_with_the_first_reason(cache: CallCache) -> None:
    def failing(text: str) -> str | None:
        if text == "Question 1?":
            raise PermissionError("the filter refuses it")
        return None if text in ("Question 2?", "Question 5?") else text

    message = r"'q1': raised PermissionError: the filter refuses it; nor could 2 more .*: q2, q5$"
    with pytest.raises(ModelError, match=message):
        answers(cache, Asking(failing))
    asking = Asking()
    answers(cache, asking)
    assert asking.texts == ["Question 1?", "Question 2?", "Question 5?"]


@pytest.mark.parametrize("batch_size", [1, 4, 30])
def test_a_pipeline_that_answers_nothing_is_not_asked_everything(
    cache: CallCache, batch_size: int
) -> None:
    asked: list[str] = []

    def down(texts: list[str]) -> list[str]:
        if len(texts) == 1:
            asked.extend(texts)
        raise ConnectionError("the gateway is down")

    questions = [Question(f"q{number}", f"Question {number}?", ("yes",)) for number in range(30)]
    message = "'q0': raised .*; nor could 9 more .*: q1, .*, q9; 10 in a row failed, so no more was"
    with pytest.raises(ModelError, match=message):
        answers(cache, down, questions=questions, limits=Limits(batch_size, 1, 0))
    assert len(asked) == 10


def test_failures_with_answers_between_them_end_nothing(cache: CallCache) -> None:
    def every_other(text: str) -> str | None:
        return text if int(text[9:-1]) % 2 else None

    questions = [Question(f"q{number}", f"Question {number}?", ("yes",)) for number in range(40)]
    message = r"'q0': gave None.*; nor could 19 more be answered: q2, .*, q20 and 9 more$"
    with pytest.raises(ModelError, match=message):
        answers(cache, Asking(every_other), questions=questions)


def test_what_passes_is_tried_again(cache: CallCache) -> None:
    failures = iter([True, False])

    def once(text: str) -> str:
        if next(failures, False):
            raise TimeoutError
        return text

    given = answers(cache, Asking(once), limits=Limits(6, 1, 1))
    assert [outcome["answer"] for outcome in given][-1] == "Question 5?"


def interrupt_main_thread() -> None:
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)


def test_after_an_interruption_nothing_is_asked_again(
    cache: CallCache, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[list[str]] = []

    def failing(texts: list[str]) -> list[str]:
        asked.append(texts)
        interrupt_main_thread()
        raise ConnectionError("the gateway is slow")

    with pytest.raises(KeyboardInterrupt):
        answers(cache, failing, limits=Limits(3, 1, 3))
    assert asked == [["Question 0?", "Question 1?", "Question 2?"]]
    assert "stopping when the present batch is finished" in caplog.text


def test_what_is_answered_after_an_interruption_is_kept(cache: CallCache) -> None:
    def answering(texts: list[str]) -> list[str]:
        if texts == ["Question 0?"]:
            interrupt_main_thread()
        time.sleep(0.2)
        return texts

    with pytest.raises(KeyboardInterrupt):
        answers(cache, answering, limits=Limits(1, 2, 0))
    asking = Asking()
    answers(cache, asking)
    assert asking.texts == [f"Question {number}?" for number in range(2, 6)]


def test_the_seconds_are_those_of_the_try_that_passed(cache: CallCache) -> None:
    now = [0.0]
    takes = iter([100.0, 6.0])

    def once(texts: list[str]) -> list[str]:
        now[0] += next(takes)
        if now[0] == 100.0:
            raise TimeoutError
        return texts

    given = answers(cache, once, limits=Limits(6, 1, 1), clock=lambda: now[0])
    assert [outcome["seconds"] for outcome in given] == [1.0] * 6


def test_a_generator_is_tried_again_and_its_error_names_the_question(cache: CallCache) -> None:
    failures = iter([True])

    def yielding(texts: list[str]) -> Iterator[str]:
        for text in texts:
            if text == "Question 1?" and next(failures, False):
                raise TimeoutError
            if text == "Question 3?":
                raise ConnectionError("the gateway is down")
            yield text

    with pytest.raises(ModelError, match="question 'q3': raised ConnectionError: the gateway is d"):
        answers(cache, yielding, limits=Limits(1, 1, 1))
    asking = Asking()
    answers(cache, asking)
    assert asking.texts == ["Question 3?"]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda texts: texts[:1], "gave 1 answers for 2 questions; give one per question"),
        (lambda texts: None, "gave None for a list of 2; give a list"),
        (lambda texts: "yes", "gave 'yes' for a list of 2; give a list"),
        (lambda texts: [texts[0], None], "question 'q1': gave None; give a text, or a mapping"),
        (lambda texts: [{"reply": "yes"}] * 2, "an answer with 'reply'; known: logprob, "),
        (
            lambda texts: [{"answer": "yes", "token_logprobs": [0.5]}] * 2,
            "a log-probability 0.5, which is no number up to 0",
        ),
    ],
)
def test_what_is_no_list_of_answers_is_named(
    cache: CallCache, function: Callable[..., Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        answers(cache, function)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"confidence": 1.5},
            "'q0': gave an answer that cannot be kept: confidence=1.5: input sho",
        ),
        ({"confidence": math.nan}, "cannot be kept: confidence=NaN: input should be"),
        ({"cost": math.inf}, "cannot be kept: cost=Infinity: input should be"),
        ({"scores": {"own": math.nan}}, "cannot be kept: scores.own=NaN: input should be"),
        ({"samples": ["one"]}, "cannot be kept: samples="),
        ({"prompt_tokens": -1}, "cannot be kept: prompt_tokens=-1: input should be"),
        ({"prompt_tokens": "many"}, 'cannot be kept: prompt_tokens="many": input should be'),
        ({"seconds": "long"}, 'cannot be kept: seconds="long": input should be'),
        ({"probabilities": [0.5, 0.5]}, "probabilities has 2 values for 0 choices"),
        ({"reasoning": "\ud800"}, "half of a surrogate pair"),
        ({"correct": {1, 2}}, "'q0': gave Object of type set is not JSON serializable"),
    ],
)
def test_a_value_that_no_file_can_have_is_named_and_not_kept(
    cache: CallCache, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        answers(cache, Asking(lambda text: {"answer": text, **fields}))
    asking = Asking()
    answers(cache, asking)
    assert len(asking.texts) == 6


@pytest.mark.parametrize(
    ("passage", "message"),
    [
        ({"text": "p", "similarity": 7.0}, r"evidence.0.similarity=7.0: input should be"),
        ({"text": "p", "similarity": math.nan}, r"evidence.0.similarity=NaN: input should be"),
        ({"body": "p"}, "a passage {'body': 'p'}, which has no text"),
    ],
)
def test_a_passage_that_no_file_can_have_is_named(
    cache: CallCache, passage: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=f"with retrieval, question 'q0': gave .*{message}"):
        answers(
            cache, Asking(lambda text: {"answer": text, "passages": [passage]}), plan="retrieve"
        )


def test_an_index_of_no_choice_is_named(cache: CallCache) -> None:
    chosen = [Question("q0", "Which?", choices=("iron", "tin"), gold=(0,))]
    with pytest.raises(ModelError, match=r"kept: answer=2 is not an index of its 2 choices"):
        answers(cache, Asking(lambda text: {"answer": 2}), questions=chosen)
    assert answers(cache, Asking(lambda text: {"answer": 1}), questions=chosen)[0]["answer"] == 1


def test_none_is_not_given_and_what_is_kept_is_what_came(cache: CallCache) -> None:
    given = {"answer": "a", "prompt_tokens": None, "seconds": None, "samples": ("a", "b")}
    first = answers(cache, Asking(lambda text: given), clock=lambda: 0.0)
    assert first[0] == {"seconds": 0.0, "answer": "a", "samples": ["a", "b"]}
    assert answers(cache, Asking()) == first


def keep(cache: CallCache, question: Question, outcome: OutcomeValues) -> None:
    """Keep an outcome for a question as earlier versions did, whatever it has."""
    limits = Limits(batch_size=1, concurrency=1, max_retries=0)
    call = PipelineCalls("pipeline:mine@1", cache, "run", limits).call(question, "none", "")
    entry = Entry(call.key, "pipeline", json.dumps(outcome), 0, "0", 0.0, "earlier")
    cache.add("pipeline:mine@1", [entry])


def test_unusable_answers_of_earlier_versions_are_replaced_and_the_others_found(
    cache: CallCache,
) -> None:
    valid = {"seconds": 0.5, "answer": "kept", "cost": None, "confidence": 1}
    keep(cache, QUESTIONS[0], valid)
    keep(cache, QUESTIONS[1], {"seconds": 0.5, "answer": "kept", "confidence": 1.5})
    asking = Asking()
    given = answers(cache, asking)
    assert given[0] == valid
    assert given[1]["answer"] == "to Question 1?"
    assert asking.texts == [f"Question {number}?" for number in range(1, 6)]
    assert answers(cache, asking) == given
    assert len(asking.texts) == 5


def test_answers_beside_one_that_cannot_be_read_are_kept(cache: CallCache) -> None:
    with pytest.raises(ModelError, match="'q1': gave None"):
        answers(cache, lambda texts: [texts[0], None, *texts[2:]], limits=Limits(6, 1, 0))
    asking = Asking()
    answers(cache, asking)
    assert asking.texts == ["Question 1?"]


def test_so_many_calls_are_under_way_at_once_and_no_more(cache: CallCache) -> None:
    together = threading.Barrier(3, timeout=20)

    def waiting(texts: list[str]) -> list[str]:
        together.wait()
        return texts

    given = answers(cache, waiting, limits=Limits(1, 3, 0))
    assert len(given) == 6


def test_coroutines_are_awaited_and_progress_is_told(cache: CallCache) -> None:
    async def answering(texts: list[str]) -> list[str]:
        return texts

    counts: list[tuple[str, int, int]] = []
    answers(cache, answering, on_progress=lambda *count: counts.append(count))
    assert counts == [("answers", n, 6) for n in (0, 2, 4, 6)]


@pytest.mark.parametrize("concurrency", [1, 3])
def test_coroutines_find_one_event_loop_in_every_call_and_try(
    cache: CallCache, concurrency: int
) -> None:
    loops: list[asyncio.AbstractEventLoop] = []
    failures = iter([True])

    async def answering(texts: list[str]) -> list[str]:
        loops.append(asyncio.get_running_loop())
        if next(failures, False):
            raise TimeoutError
        return texts

    limits = Limits(batch_size=2, concurrency=concurrency, max_retries=1)
    with closing(PipelineCalls("pipeline:mine@1", cache, "run", limits)) as calls:
        for plan in ("none", "retrieve"):
            asked = [calls.call(question, plan, question.text) for question in QUESTIONS]
            calls.answer(answering, asked, ignore_progress)
        assert not loops[0].is_closed()
    assert len(loops) == 7
    assert len(set(loops)) == 1
    assert loops[0].is_closed()


def test_a_client_that_is_bound_to_its_first_loop_serves_all_batches(cache: CallCache) -> None:
    clients: list[asyncio.Queue[str]] = []

    async def answering(texts: list[str]) -> list[str]:
        if not clients:
            clients.append(asyncio.Queue())
        asyncio.get_running_loop().call_later(0.001, clients[0].put_nowait, "yes")
        return [await clients[0].get() for _ in texts]

    assert len(answers(cache, answering, limits=Limits(1, 1, 0))) == 6


def test_what_is_asked_and_what_is_kept_are_counted(cache: CallCache) -> None:
    counted = []
    for _ in range(2):
        limits = Limits(batch_size=2, concurrency=1, max_retries=0)
        with closing(PipelineCalls("pipeline:mine@1", cache, "run", limits)) as calls:
            asked = [calls.call(question, "none", question.text) for question in QUESTIONS]
            calls.answer(Asking(), asked, ignore_progress)
        counted.append((calls.n_asked, calls.n_kept))
    assert counted == [(6, 0), (0, 6)]
