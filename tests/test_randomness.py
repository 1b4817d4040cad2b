from __future__ import annotations

from argo_ml.randomness import deferred_rng, derived_rng


def test_same_key_gives_the_same_draws() -> None:
    assert (
        derived_rng(42, "q1", 3, "channel").random() == derived_rng(42, "q1", 3, "channel").random()
    )


def test_draw_is_the_same_on_every_machine() -> None:
    assert derived_rng(42, "q1", 3, "channel").random() == 0.43100801434506264


def test_seed_question_step_and_purpose_all_matter() -> None:
    keys = [
        (1, "q", 0, "a"),
        (2, "q", 0, "a"),
        (1, "r", 0, "a"),
        (1, "q", 1, "a"),
        (1, "q", 0, "b"),
    ]

    assert len({derived_rng(*key).random() for key in keys}) == 5


def test_parts_of_a_key_do_not_run_together() -> None:
    assert derived_rng(1, "a", "bc").random() != derived_rng(1, "ab", "c").random()


def test_a_deferred_generator_draws_what_the_made_one_does() -> None:
    deferred, made = deferred_rng(42, "q1", 3), derived_rng(42, "q1", 3)
    assert [deferred.random() for _ in range(3)] == [made.random() for _ in range(3)]
    assert deferred.choice("abc") == made.choice("abc")
