from __future__ import annotations

import pytest

from argo_ml.errors import ModelError
from argo_ml.models.placement import (
    Placement,
    check_fits,
    choose_gpus,
    choose_precision,
    place,
)

GIB = 2**30


def test_auto_takes_all_visible_gpus_or_the_cpu() -> None:
    assert choose_gpus("auto", (), 2) == (0, 1)
    assert choose_gpus("auto", (), 0) == ()


def test_named_gpus_are_taken() -> None:
    assert choose_gpus("auto", (1,), 2) == (1,)
    assert choose_gpus("cuda", (1, 0), 2) == (1, 0)


def test_cpu_uses_no_gpu() -> None:
    assert choose_gpus("cpu", (), 4) == ()


@pytest.mark.parametrize(
    ("device", "gpus", "n_gpus", "complaint"),
    [
        ("tpu", (), 1, "device=tpu: unknown"),
        ("cpu", (0,), 1, "gpus=0: not used with device=cpu"),
        ("cuda", (), 0, "device=cuda: no CUDA GPU"),
        ("auto", (0, 1), 0, "gpus=0,1: no CUDA GPU"),
        ("auto", (0, 2), 2, "GPU 2 is not there; visible: 0,1"),
        ("auto", (-1,), 2, "GPU -1 is not there"),
        ("auto", (0, 0), 2, "gpus=0,0: names a GPU twice"),
    ],
)
def test_what_is_not_there_is_refused(
    device: str, gpus: tuple[int, ...], n_gpus: int, complaint: str
) -> None:
    with pytest.raises(ModelError, match=complaint):
        choose_gpus(device, gpus, n_gpus)


@pytest.mark.parametrize(
    ("asked", "on_gpu", "has_bfloat16", "expected"),
    [
        ("auto", False, False, "float32"),
        ("auto", True, True, "bfloat16"),
        ("auto", True, False, "float16"),
        ("float32", True, True, "float32"),
    ],
)
def test_precision(asked: str, on_gpu: bool, has_bfloat16: bool, expected: str) -> None:
    assert choose_precision(asked, on_gpu, has_bfloat16) == expected


def test_weights_that_do_not_fit_are_refused_with_both_sizes() -> None:
    with pytest.raises(ModelError, match=r"model=big: needs 14.0 GiB .* GPU 0 has 12.0 GiB free"):
        check_fits("big", 14 * GIB, 12 * GIB, "GPU 0")


def test_weights_that_fit_are_not() -> None:
    check_fits("small", 12 * GIB, 12 * GIB, "GPU 0")


def test_without_gpus_a_model_goes_to_the_cpu() -> None:
    assert place(GIB, {}) == Placement({"": "cpu"})


def test_one_gpu_takes_it_all() -> None:
    assert place(11 * GIB, {1: 12 * GIB}) == Placement({"": 1})


def test_a_small_model_stays_on_the_roomiest_gpu() -> None:
    assert place(3 * GIB, {0: 10 * GIB, 1: 12 * GIB}) == Placement({"": 1})


def test_a_large_model_is_spread_within_each_gpus_memory() -> None:
    found = place(15 * GIB, {0: 12 * GIB, 2: 10 * GIB})
    assert found == Placement("balanced", {0: int(10.8 * GIB), 2: 9 * GIB})
