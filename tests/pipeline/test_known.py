import pytest

from argo_ml.models.base import Completion, Generation, Prompt
from argo_ml.models.unfit import UnfitRequestError
from argo_ml.pipeline.known import Once
from argo_ml.pipeline.requests import Refusal, Requesting, generated

FIRST, SECOND = (Generation(Prompt("system", text), 5) for text in ("first", "second"))


def said(text: str) -> Completion:
    return Completion(text, 3, 1, 0.0)


class Asking:
    """Two requests, of which the second answer counts; counts how often it was begun."""

    def __init__(self) -> None:
        self.n_begun = 0

    def __call__(self) -> Requesting[str]:
        self.n_begun += 1
        yield from generated(FIRST)
        return (yield from generated(SECOND)).text


def test_all_that_wait_get_what_the_first_has_asked_for() -> None:
    asking, once = Asking(), Once[str]()
    waiting = [once.get(asking()) for _ in range(3)]
    assert [next(episode) for episode in waiting] == [FIRST] * 3
    assert [episode.send(said("one")) for episode in waiting] == [SECOND] * 3
    answers = []
    for episode in waiting:
        with pytest.raises(StopIteration) as stop:
            episode.send(said("two"))
        answers.append(stop.value.value)
    assert answers == ["two", "two", "two"]
    assert asking.n_begun == 1


def test_what_is_known_is_not_asked_for() -> None:
    asking = Asking()
    with pytest.raises(StopIteration) as stop:
        next(Once("known").get(asking()))
    assert (stop.value.value, asking.n_begun) == ("known", 0)


def test_what_is_refused_is_refused_to_all() -> None:
    asking, once = Asking(), Once[str]()
    first, second = once.get(asking()), once.get(asking())
    next(first), next(second)
    with pytest.raises(UnfitRequestError, match="too long"):
        first.send(Refusal("too long"))
    assert second.send(Refusal("too long")) is FIRST
    with pytest.raises(UnfitRequestError, match="too long"):
        second.send(Refusal("too long"))


def test_one_that_waited_in_vain_asks_itself() -> None:
    asking, once = Asking(), Once[str]()
    first, second = once.get(asking()), once.get(asking())
    next(first), next(second)
    first.close()
    assert second.send(said("one")) is FIRST
    assert second.send(said("one")) is SECOND
    with pytest.raises(StopIteration) as stop:
        second.send(said("two"))
    assert stop.value.value == "two"
