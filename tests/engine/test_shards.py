from argo_ml.engine.shards import make_shards
from argo_ml.types import Question

QUESTIONS = [Question(f"q{index}", "What?") for index in range(5)]


def test_shards_are_consecutive_and_the_last_may_be_smaller() -> None:
    shards = make_shards(QUESTIONS, 2)
    assert [shard.index for shard in shards] == [0, 1, 2]
    assert [[question.id for question in shard.questions] for shard in shards] == [
        ["q0", "q1"],
        ["q2", "q3"],
        ["q4"],
    ]


def test_no_questions_make_no_shards() -> None:
    assert make_shards([], 2) == []
