"""Gates in real episodes: what they look at, what they look up, and what that costs."""

from collections.abc import Sequence
from pathlib import Path

from argo_ml.config import CellSpec, build
from argo_ml.models.base import Completion, Generation, Scores, Scoring
from argo_ml.pipeline import build_pipeline, run_episode
from argo_ml.pipeline.requests import Embedding, Request, Response, Retrieval, Vector
from argo_ml.policies.base import Policy
from argo_ml.policies.gates import Gate
from argo_ml.policies.gates.entropy_gate import Entropy
from argo_ml.policies.gates.flare import Flare
from argo_ml.policies.gates.graded import Graded
from argo_ml.policies.gates.grades import Grades
from argo_ml.policies.gates.variance_gate import Disagreement
from argo_ml.state import Outcome
from argo_ml.testing.calibrations import recorded_calibration
from argo_ml.types import Evidence, Passage, Question, StopReason, TokenDetail

OPEN = Question(id="open", text="What?", answers=("some text",))
CHOICES = Question(id="choices", text="Which?", choices=("a", "b"), gold=(0,))
NEVER, ALWAYS = 1e9, 0.0
TOKENS = (TokenDetail("sure", -0.1, 0.2, 3.0), TokenDetail(" unsure", -2.0, 1.5, 0.1))


def respond(request: Request) -> Response:
    if isinstance(request, Generation):
        return Completion("sure unsure", 10, 2, 0.5, tokens=TOKENS if request.details else ())
    if isinstance(request, Scoring):
        return Scores((-1.0,) * len(request.choices), (1,) * len(request.choices), 20, 0.25)
    if isinstance(request, Embedding):
        return Vector(())
    passages = [Passage(f"p{rank}", f"text {rank}") for rank in range(request.top_k)]
    return tuple(Evidence(passage, 0.9) for passage in passages)


def played(policy: Policy, question: Question, max_steps: int = 3) -> tuple[Outcome, list[Request]]:
    settings = {"retrieval_cost": 0.1, "cache_dir": Path("unused"), "max_steps": max_steps}

    def count_tokens(texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    episode = run_episode(question, policy, build_pipeline(build(CellSpec, settings), count_tokens))
    requests: list[Request] = []
    try:
        request = next(episode)
        while True:
            requests.append(request)
            request = episode.send(respond(request))
    except StopIteration as stop:
        outcome: Outcome = stop.value
        return outcome, requests


def looked_up(requests: Sequence[Request]) -> list[Retrieval]:
    return [request for request in requests if isinstance(request, Retrieval)]


def test_an_answer_that_a_gate_looked_at_and_kept_costs_nothing_extra() -> None:
    outcome, requests = played(Gate(Entropy(), NEVER), CHOICES)
    assert [type(request) for request in requests] == [Scoring]
    assert (outcome.usage.probing_calls, outcome.usage.synthesizer_calls) == (0, 1)


def test_an_answer_that_was_given_up_for_a_retrieval_is_a_probe() -> None:
    outcome, requests = played(Gate(Entropy(), ALWAYS), CHOICES)
    assert len(looked_up(requests)) == len(outcome.steps) == 1
    assert (outcome.usage.probe_calls, outcome.usage.synthesizer_calls) == (1, 1)
    assert outcome.stop_reason is StopReason.POLICY


def test_a_draft_is_one_probe_and_samples_are_three() -> None:
    drafted, _ = played(Gate(Entropy(), NEVER), OPEN)
    assert (drafted.usage.probe_calls, drafted.usage.sample_calls) == (1, 0)
    assert drafted.expected.score == (0.2 + 1.5) / 2
    sampled, _ = played(Gate(Disagreement(), NEVER), OPEN)
    assert (sampled.usage.probe_calls, sampled.usage.sample_calls) == (0, 3)
    assert sampled.expected.score == 0.0


def test_grades_ask_for_their_numbers_of_passages() -> None:
    calibration = recorded_calibration([])
    for grades, top_k in ((Grades(0.5, 0.75), 1), (Grades(0.25, 0.5), 5)):
        _, requests = played(Graded(calibration, grades), CHOICES)
        assert [request.top_k for request in looked_up(requests)] == [top_k]


def test_an_episode_that_abstains_gives_no_answer() -> None:
    policy = Graded(recorded_calibration([]), Grades(0.25, 0.5), abstain_below=0.75)
    outcome, _ = played(policy, CHOICES)
    assert (len(outcome.steps), outcome.stop_reason) == (1, StopReason.ABSTAIN)
    assert (outcome.answer.text, outcome.answer.choice) == ("", None)


def test_masked_sentences_are_looked_up_until_the_step_limit() -> None:
    outcome, requests = played(Flare(threshold=0.5), OPEN, max_steps=2)
    # exp(-2) is below beta, exp(-0.1) is not.
    assert [request.query for request in looked_up(requests)] == ["sure", "sure"]
    assert [step.query for step in outcome.steps] == ["sure", "sure"]
    assert outcome.stop_reason is StopReason.LIMIT
