from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from argo_ml.models.base import Generation, Prompt
from argo_ml.models.local import sampling
from argo_ml.models.local.sampling import (
    Chooser,
    drawn,
    needs_only_the_most_probable,
    token_statistics,
)

LOGITS = torch.tensor([0.5, 0.3, 0.2]).log()


def one_drawn(logits: torch.Tensor, temperature: float, uniform: float) -> int:
    return int(drawn(logits[None], [temperature], [uniform]))


def request(temperature: float = 0.0, seed: int = 0, details: bool = False) -> Generation:
    return Generation(Prompt("s", "u"), 5, temperature=temperature, seed=seed, details=details)


@pytest.mark.parametrize(
    ("uniform", "token"), [(0.0, 0), (0.49, 0), (0.51, 1), (0.79, 1), (0.81, 2), (0.9999, 2)]
)
def test_a_draw_is_where_the_distribution_function_exceeds_it(uniform: float, token: int) -> None:
    assert one_drawn(LOGITS, 1.0, uniform) == token


def test_a_temperature_flattens_or_sharpens() -> None:
    # Squares of the probabilities, then their roots, in proportion.
    assert [one_drawn(LOGITS, 0.5, uniform) for uniform in (0.65, 0.66, 0.9)] == [0, 1, 2]
    assert [one_drawn(LOGITS, 2.0, uniform) for uniform in (0.41, 0.42, 0.74)] == [0, 1, 2]


def test_the_lowest_temperature_takes_the_most_probable() -> None:
    logits = torch.tensor([1.0, 300.0, 299.0])
    assert one_drawn(logits, 1e-300, 0.999) == 1


def test_tokens_without_probability_are_never_drawn() -> None:
    logits = torch.tensor([-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf])
    assert {one_drawn(logits, 1.0, uniform) for uniform in (0.0, 0.4, 0.6, 1 - 2**-53)} == {1, 3}


@given(st.floats(0, 1, exclude_max=True), st.floats(1e-3, 100))
def test_every_draw_is_a_token(uniform: float, temperature: float) -> None:
    assert 0 <= one_drawn(LOGITS, temperature, uniform) < 3


def test_numbers_of_tokens() -> None:
    [first, second] = token_statistics(torch.stack([LOGITS, LOGITS.flip(0)]), torch.tensor([0, 0]))
    assert first.log_probability == pytest.approx(-0.6931, abs=1e-4)
    assert second.log_probability == pytest.approx(-1.6094, abs=1e-4)
    assert first.entropy == second.entropy == pytest.approx(1.0297, abs=1e-4)
    assert first.gap == second.gap == pytest.approx(0.5108, abs=1e-4)


def test_tokens_without_probability_add_nothing_to_the_entropy() -> None:
    logits = torch.tensor([[0.0, 0.0, -torch.inf]])
    [statistics] = token_statistics(logits, torch.tensor([1]))
    assert statistics.entropy == pytest.approx(0.6931, abs=1e-4)
    assert statistics.gap == 0


def test_draws_have_the_frequencies_of_the_distribution() -> None:
    chooser = Chooser([request(temperature=1.0, seed=3)])
    counts = Counter(chooser([0], LOGITS[None])[0] for _ in range(4000))
    assert [counts[token] / 4000 for token in range(3)] == pytest.approx([0.5, 0.3, 0.2], abs=0.03)


def test_a_draw_depends_on_seed_and_prompt_and_on_no_other_row() -> None:
    logits = torch.zeros(1, 1000)
    requests = [request(1.0, seed=seed) for seed in (1, 2)]
    other = Generation(Prompt("s", "v"), 5, temperature=1.0, seed=1)
    together = Chooser([*requests, other])([0, 1, 2], logits.expand(3, -1))
    alone = [Chooser([drawing])([0], logits)[0] for drawing in (*requests, other)]
    assert together == alone
    assert len(set(alone)) == 3


def test_batches_may_mix() -> None:
    requests = [request(), request(details=True), request(1.0), request(1.0, details=True)]
    chooser = Chooser(requests)
    tokens = chooser([0, 1, 3], LOGITS.expand(3, -1))
    assert tokens[:2] == [0, 0]
    assert [len(statistics) for statistics in chooser.statistics] == [0, 1, 0, 1]
    assert [needs_only_the_most_probable(request) for request in requests] == [
        True,
        False,
        False,
        False,
    ]
    assert chooser.statistics[3][0].log_probability == pytest.approx(float(LOGITS[tokens[2]]))


@pytest.mark.parametrize("memory", [1, 2**26])
def test_rows_drawn_together_are_those_drawn_alone(
    monkeypatch: pytest.MonkeyPatch, memory: int
) -> None:
    monkeypatch.setattr(sampling, "DRAWING_BYTES", memory)
    logits = torch.randn(7, 5000, generator=torch.Generator().manual_seed(5)) * 4
    temperatures = [0.3, 0.7, 1.0, 1.3, 0.7, 2.0, 1e-3]
    uniforms = [0.1, 0.9999, 0.5, 0.0, 0.73, 0.21, 0.6]

    together = drawn(logits, temperatures, uniforms).tolist()

    assert together == [
        one_drawn(row, temperature, uniform)
        for row, temperature, uniform in zip(logits, temperatures, uniforms, strict=True)
    ]


def test_numbers_of_tokens_are_the_same_some_rows_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logits = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    chosen = logits.argmax(dim=-1)
    together = token_statistics(logits, chosen)
    monkeypatch.setattr(sampling, "DRAWING_BYTES", 2 * 4 * 7)
    assert token_statistics(logits, chosen) == together
