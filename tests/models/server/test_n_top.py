"""How many of the most probable tokens a server is asked for, and where that is known from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from argo_ml.models.base import Generation, Prompt
from argo_ml.models.server.finding import find_n_top
from argo_ml.models.server.model import ServerModel
from argo_ml.models.server.opening import ServerDescription
from argo_ml.models.server.replies import ServerReply
from argo_ml.models.server.wire import RefusedError, TokenUsage

REQUEST = Generation(Prompt("", "Where?"), 5, details=True)


class Telling:
    """Tells of at most ``most`` tokens, and refuses the first ``n_refused`` requests."""

    thinks = False
    limits_tokens = True

    def __init__(self, most: int = 20, n_refused: int = 0) -> None:
        self.asked: list[int] = []
        self._most, self._n_refused = most, n_refused

    def describe(self) -> str:
        return "telling"

    def complete(self, prompt: Prompt, settings: Mapping[str, Any], n_top: int = 0) -> ServerReply:
        self.asked.append(n_top)
        if n_top > self._most or len(self.asked) <= self._n_refused:
            raise RefusedError("HTTP 400")
        usage = TokenUsage(prompt_tokens=1, completion_tokens=1)
        return ServerReply("Paris", usage, "stop")

    def count_tokens(self, text: str) -> int:
        return len(text.split())


@pytest.mark.parametrize(("most", "expected"), [(100, 20), (20, 20), (5, 5), (0, 20)])
def test_the_most_that_is_told_is_asked_for_and_where_none_is_as_many_as_ever(
    most: int, expected: int
) -> None:
    telling: Any = Telling(most)
    assert find_n_top(telling) == expected


def test_one_refusal_does_not_change_how_many_are_asked_for() -> None:
    telling: Any = Telling(n_refused=1)
    model = ServerModel("id", telling, None, 1)
    model.generate([REQUEST])
    model.generate([REQUEST])
    assert telling.asked == [20, 20, 20]


def test_as_many_as_were_found_are_asked_for() -> None:
    telling: Any = Telling(5)
    ServerModel("id", telling, None, 1, n_top=5).generate([REQUEST])
    assert telling.asked == [5]


@pytest.mark.parametrize(("n_top", "ending"), [(20, "scores=none"), (5, "scores=none details=5")])
def test_fewer_than_the_most_are_part_of_the_identity(n_top: int, ending: str) -> None:
    telling: Any = Telling()
    described = ServerDescription("m", "vllm=0.9", telling, None, 4096, n_top)
    assert described.identity == f"server m vllm=0.9 prompts=telling {ending}"
