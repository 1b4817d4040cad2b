from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from argo_ml.config import CellSpec, SweepSpec, build
from argo_ml.engine import Engine, Finished
from argo_ml.mdp.process import solve
from argo_ml.models.base import Generation, Prompt, Scoring
from argo_ml.models.cache.caching import CachingModel, CallCache
from argo_ml.models.scripted import ScriptedModel, Table
from argo_ml.pipeline import build_pipeline, run_episode
from argo_ml.pipeline.requests import Request, Requesting, Retrieval, generated, retrieved
from argo_ml.policies import PolicyContext, make_policy
from argo_ml.state import Outcome
from argo_ml.types import Answer, Question, StopReason, Usage


def generation(text: str) -> Generation:
    return Generation(Prompt("system", text), max_new_tokens=8)


def scoring(text: str) -> Scoring:
    return Scoring(Prompt("system", text), ("a", "b"))


def asking(name: str, *requests: Request) -> Requesting[Outcome]:
    """An episode that makes these requests and answers with the responses it got."""
    responses = []
    for request in requests:
        responses.append((yield request))
    text = "; ".join(str(getattr(response, "text", response)) for response in responses)
    return Outcome(name, Answer(text), (), StopReason.POLICY, 0.0, Usage())


def ids(finished: list[Finished]) -> list[str]:
    return [done.outcome.question_id for done in finished]


def test_outcomes_keep_the_order_of_episodes_of_different_length(recorder: Any) -> None:
    episodes = [
        asking("long", *[generation(f"step {step}") for step in range(5)]),
        asking("none"),
        asking("short", generation("other")),
    ]
    assert ids(Engine(recorder, recorder).run(episodes)) == ["long", "none", "short"]
    assert [len(batch) for batch in recorder.generated] == [2, 1, 1, 1, 1]


def test_each_episode_gets_the_responses_to_its_own_requests(recorder: Any) -> None:
    texts = ["one", "two", "three"]
    finished = Engine(recorder, recorder).run(
        [asking(text, generation(text), generation(text + " again")) for text in texts]
    )
    for text, done in zip(texts, finished, strict=True):
        first, second = recorder.model.generate([generation(text), generation(text + " again")])
        assert done.outcome.answer.text == f"{first.text}; {second.text}"


def test_each_round_makes_one_call_of_each_kind(recorder: Any) -> None:
    Engine(recorder, recorder).run(
        [
            asking("a", generation("x"), scoring("x")),
            asking("b", generation("y"), scoring("y")),
            asking("c", Retrieval("x", 2), generation("z")),
            asking("d", Retrieval("y", 2), generation("w")),
        ]
    )
    assert recorder.generated == [
        [generation("x"), generation("y")],
        [generation("z"), generation("w")],
    ]
    assert recorder.scored == [[scoring("x"), scoring("y")]]
    assert recorder.retrieved == [(["x", "y"], 2)]


def test_retrievals_of_different_depth_are_asked_apart(recorder: Any) -> None:
    finished = Engine(recorder, recorder).run(
        [asking("a", Retrieval("x", 3)), asking("b", Retrieval("x", 1))]
    )
    assert recorder.retrieved == [(["x"], 1), (["x"], 3)]
    assert finished[0].outcome.answer.text.count("Evidence") == 3
    assert finished[1].outcome.answer.text.count("Evidence") == 1


def test_a_request_repeated_in_a_round_or_later_is_executed_once(recorder: Any) -> None:
    finished = Engine(recorder, recorder).run(
        [
            asking("a", generation("x"), generation("y")),
            asking("b", generation("x"), generation("z")),
            asking("c", generation("y"), generation("x"), Retrieval("q", 1)),
            asking("d", Retrieval("q", 1)),
        ]
    )
    assert recorder.n_executed == 3
    assert recorder.retrieved == [(["q"], 1)]
    texts = [done.outcome.answer.text.split("; ") for done in finished]
    assert texts[0] == [texts[1][0], texts[2][0]]
    assert texts[2][2] == texts[3][0]


def test_the_first_to_need_a_call_pays_for_it(recorder: Any) -> None:
    finished = Engine(recorder, recorder).run(
        [
            asking("a", generation("x"), generation("y")),
            asking("b", generation("x"), generation("z"), scoring("z")),
            asking("c", Retrieval("q", 1), generation("x")),
        ]
    )
    assert [done.paid_calls for done in finished] == [2, 2, 0]


def test_progress_is_told_after_each_round(recorder: Any) -> None:
    reports: list[int] = []
    episodes = [
        asking("two", generation("a"), generation("b")),
        asking("none"),
        asking("one", generation("c")),
    ]
    Engine(recorder, recorder).run(episodes, reports.append)
    assert reports == [2, 3]


def test_no_episodes_make_no_calls(recorder: Any) -> None:
    assert Engine(recorder, recorder).run([]) == []
    assert recorder.n_executed == 0


def test_an_error_of_the_model_is_raised(recorder: Any) -> None:
    def broken(requests: object) -> None:
        raise RuntimeError("out of memory")

    recorder.generate = broken
    with pytest.raises(RuntimeError, match="out of memory"):
        Engine(recorder, recorder).run([asking("a", generation("x"))])


def test_an_error_of_an_episode_is_raised(recorder: Any) -> None:
    def failing() -> Requesting[Outcome]:
        yield from generated(generation("x"))
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        Engine(recorder, recorder).run([failing()])


def test_a_model_that_returns_too_few_completions_is_noticed(recorder: Any) -> None:
    recorder.generate = lambda requests: recorder.model.generate(requests)[:1]
    with pytest.raises(ValueError, match="shorter"):
        Engine(recorder, recorder).run([asking("a", generation("x")), asking("b", generation("y"))])


def test_retrieved_evidence_reaches_the_episode(recorder: Any) -> None:
    def episode() -> Requesting[Outcome]:
        evidence = yield from retrieved(Retrieval("q", 2))
        ids = " ".join(hit.passage.id for hit in evidence)
        return Outcome("a", Answer(ids), (), StopReason.POLICY, 0.0, Usage())

    [done] = Engine(recorder, recorder).run([episode()])
    assert done.outcome.answer.text == "q/0 q/1"


QUESTIONS = [
    Question("q1", "Which code has France?", choices=("33", "44"), gold=(0,)),
    Question("q2", "Which code has Spain?", choices=("33", "34"), gold=(1,)),
]


def sweep_cells() -> list[CellSpec]:
    strategies = ("argo", "argo_optimal", "always_retrieve", "always_reason", "random")
    return build(SweepSpec, {"strategies": strategies, "channel_success_rate": 0.7}).cells()


def sweep_episodes(model: Any) -> list[Requesting[Outcome]]:
    return [
        run_episode(
            question,
            make_policy(spec.strategy, PolicyContext(solve(spec.mdp(spec.retrieval_cost)))),
            build_pipeline(spec, model.count_tokens),
        )
        for spec in sweep_cells()
        for question in QUESTIONS
    ]


def test_paid_calls_of_a_sweep_add_up_to_the_executed_ones(recorder: Any) -> None:
    finished = Engine(recorder, recorder).run(sweep_episodes(recorder))
    needed = sum(done.outcome.usage.calls for done in finished)
    assert sum(done.paid_calls for done in finished) == recorder.n_executed
    assert all(done.paid_calls <= done.outcome.usage.calls for done in finished)
    assert recorder.n_executed < needed / 4


def test_an_episode_that_the_model_does_not_take_ends_and_the_others_go_on(
    recorder: Any,
) -> None:
    recorder.model = ScriptedModel(Table(default="hash", context=200))
    long = Question("long", "word " * 300, choices=("a", "b"), gold=(0,))
    spec = build(CellSpec, {"strategy": "never", "cache_dir": Path("unused")})
    pipeline = build_pipeline(spec, recorder.count_tokens)
    policy = make_policy("never", PolicyContext(solve(spec.mdp(spec.retrieval_cost))))

    ended, answered = Engine(recorder, recorder).run(
        [run_episode(question, policy, pipeline) for question in (long, QUESTIONS[0])]
    )

    assert ended.outcome.stop_reason is StopReason.UNANSWERED
    assert ended.outcome.unanswered.startswith("synthesizer: a prompt and its answer need 3")
    assert (ended.outcome.answer.text, ended.paid_calls, ended.outcome.usage.calls) == ("", 0, 0)
    assert answered.outcome.unanswered == ""
    assert answered.outcome.answer.choice is not None


def test_running_together_or_alone_gives_the_same_outcomes(recorder: Any) -> None:
    together = Engine(recorder, recorder).run(sweep_episodes(recorder))
    alone = [Engine(recorder, recorder).run([episode])[0] for episode in sweep_episodes(recorder)]
    backwards = Engine(recorder, recorder).run(sweep_episodes(recorder)[::-1])[::-1]
    outcomes = [done.outcome for done in together]
    assert outcomes == [done.outcome for done in alone]
    assert outcomes == [done.outcome for done in backwards]


def test_cached_run_executes_nothing_and_its_new_payer_pays_nothing(
    recorder: Any, tmp_path: Path
) -> None:
    cache = CallCache(tmp_path / "calls.sqlite")
    first = Engine(CachingModel(recorder, cache, "one"), recorder).run(sweep_episodes(recorder))
    executed = recorder.n_executed
    repeated = Engine(CachingModel(recorder, cache, "one"), recorder).run(sweep_episodes(recorder))
    other = Engine(CachingModel(recorder, cache, "two"), recorder).run(sweep_episodes(recorder))
    assert recorder.n_executed == executed
    assert repeated == first
    assert other == [replace(done, paid=()) for done in first]


def test_a_group_that_has_finished_makes_room_for_the_next(recorder: Any) -> None:
    groups = [
        [asking("long", *[generation(f"a{step}") for step in range(4)])],
        [asking("short", generation("b"))],
        [asking("next", generation("c"), generation("d"))],
    ]

    done = list(Engine(recorder, recorder).run_groups(groups, lambda: 2))

    assert [(number, ids(finished)) for number, finished in done] == [
        (1, ["short"]),
        (2, ["next"]),
        (0, ["long"]),
    ]
    assert [len(batch) for batch in recorder.generated] == [2, 2, 2, 1]


def test_groups_together_or_apart_give_the_same_outcomes(recorder: Any) -> None:
    def groups() -> list[list[Requesting[Outcome]]]:
        return [
            [
                asking(
                    f"{group} {row}", *[generation(f"{row} {step}") for step in range(group + row)]
                )
                for row in range(3)
            ]
            for group in range(4)
        ]

    apart = dict(Engine(recorder, recorder).run_groups(groups(), lambda: 1))
    together = dict(Engine(recorder, recorder).run_groups(groups(), lambda: 3))

    assert {
        number: [done.outcome for done in finished] for number, finished in together.items()
    } == {number: [done.outcome for done in finished] for number, finished in apart.items()}


def test_batches_are_full_as_long_as_groups_wait(recorder: Any) -> None:
    groups = [
        [
            asking(f"{group} {row}", *[generation(f"{group} {row} {step}") for step in range(n)])
            for row, n in enumerate((1 + group % 3, 4))
        ]
        for group in range(12)
    ]

    list(Engine(recorder, recorder).run_groups(groups, lambda: 8))

    sizes = [len(batch) for batch in recorder.generated]
    assert sum(sizes) == 72
    assert all(8 <= size <= 9 for size in sizes[:-4])
    assert len(sizes) == 10


def test_what_a_group_pays_for_does_not_depend_on_others_beside_it(
    recorder: Any, tmp_path: Path
) -> None:
    def paid(n_requests: int) -> dict[int, list[int]]:
        cache = CallCache(tmp_path / f"{n_requests}.sqlite")
        model = CachingModel(ScriptedModel(Table(default="hash")), cache, "run")
        groups = [
            [asking(f"{group} {row}", generation("same"), generation("too")) for row in range(2)]
            for group in range(3)
        ]
        done = Engine(model, recorder).run_groups(groups, lambda: n_requests)
        return {number: [end.paid_calls for end in finished] for number, finished in done}

    assert paid(10) == paid(1) == {0: [2, 0], 1: [2, 0], 2: [2, 0]}
