from __future__ import annotations

from pathlib import Path

import pytest

from argo_ml.models.engines.gguf_header import GgufShape, read_shape
from argo_ml.models.local.planning import recorded_config
from benchmarks.engines import speed
from benchmarks.gpu import TINY
from benchmarks.random_gguf import write_random_gguf
from benchmarks.scoring_cost import Computed, anew, by_blocks, by_slot


def test_a_random_file_has_the_shape_of_its_configuration(tmp_path: Path) -> None:
    config = recorded_config("qwen2.5-0.5b")
    for name, value in TINY.items():
        setattr(config, name, value)
    write_random_gguf(config, "Q8_0", tmp_path / "tiny.gguf")
    # Two layers of two heads of 16, keys and values, two bytes each.
    assert read_shape(tmp_path / "tiny.gguf") == GgufShape(32768, 2 * 2 * (16 + 16) * 2)


def test_rates_are_of_all_rows_and_repeats_are_the_fastest() -> None:
    asked: list[tuple[int, int, int]] = []
    speed(lambda prompts, n_new: asked.append((len(prompts), len(prompts[0]), n_new)), 4, 32, 8, 2)
    assert asked == [(4, 8, 2), *[(4, 32, 1)] * 2, *[(4, 8, 1)] * 2, *[(4, 8, 9)] * 2]


@pytest.mark.parametrize(
    ("computed", "expected"),
    [(by_slot, [40, 1, 2, 2]), (by_blocks, [40, 8, 10, 10]), (anew, [40, 40, 42, 42])],
)
def test_kept_prompts_are_not_computed_again(computed: Computed, expected: list[int]) -> None:
    prompt = list(range(40))
    asked = [prompt, prompt, [*prompt, 1, 2], [*prompt, 3, 4]]
    assert [computed(ids, asked[:at]) for at, ids in enumerate(asked)] == expected
