from __future__ import annotations

from argo_ml.models.local.shared_beginnings import waves

LONG = list(range(96))
MANY = 1000


def test_prompts_wait_for_one_that_begins_as_they_do() -> None:
    prompts = [[*LONG, 1], [*LONG, 2], [*LONG[:64], 3]]

    assert waves(prompts, [0, 0, 0], MANY, 64) == [[0], [1, 2]]


def test_nothing_waits_where_a_wave_costs_more_than_it_saves() -> None:
    prompts = [[*LONG[:32], 1], [*LONG[:32], 2], [*LONG[:32], 3]]

    assert waves(prompts, [0, 0, 0], MANY, 64) == [[0, 1, 2]]
    assert waves(prompts, [0, 0, 0], MANY, 63) == [[0], [1, 2]]


def test_what_is_known_already_is_nothing_to_wait_for() -> None:
    prompts = [[*LONG, 1], [*LONG, 2]]

    assert waves(prompts, [96, 96], MANY, 0) == [[0, 1]]
    assert waves(prompts, [32, 32], MANY, 64) == [[0, 1]]
    assert waves(prompts, [32, 32], MANY, 63) == [[0], [1]]


def test_waves_follow_one_another_along_a_tree() -> None:
    ends = [[*LONG, *[n] * 32] for n in (200, 201)]
    prompts = [*([*end, 1] for end in ends), *([*end, 2] for end in ends)]

    assert waves(prompts, [0] * 4, MANY, 0) == [[0], [1, 2], [3]]


def test_a_prompt_of_known_blocks_alone_computes_its_last() -> None:
    assert waves([LONG, LONG], [0, 0], MANY, 79) == [[0], [1]]
    assert waves([LONG, LONG], [0, 0], MANY, 80) == [[0, 1]]


def test_what_cannot_be_kept_is_nothing_to_wait_for() -> None:
    prompts = [[*LONG, 1], [*LONG, 2]]

    assert waves(prompts, [0, 0], 6, 64) == [[0], [1]]
    assert waves(prompts, [0, 0], 5, 64) == [[0, 1]]
    assert waves(prompts, [0, 0], 0, 64) == [[0, 1]]


def test_no_prompts_are_no_waves() -> None:
    assert waves([], [], MANY, 64) == []
