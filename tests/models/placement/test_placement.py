from __future__ import annotations

import pytest

from argo_ml.devices.choosing import choose_gpus
from argo_ml.errors import ModelError
from argo_ml.models.local.loading import Machine
from argo_ml.models.local.planning import alternatives, demand_of_preset, does_not_fit
from argo_ml.models.local.skeleton import Skeleton
from argo_ml.models.placement.plan import (
    Demand,
    Device,
    PlacementPlan,
    choose_precision,
    fallbacks,
    plan_cpu,
    plan_gpus,
)
from tests.builders.tiny_architectures import tiny_config


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
    ("given", "on_gpu", "has_bfloat16", "expected"),
    [
        ("auto", False, False, "float32"),
        ("auto", True, True, "bfloat16"),
        ("auto", True, False, "float16"),
        ("float32", True, True, "float32"),
    ],
)
def test_precision(given: str, on_gpu: bool, has_bfloat16: bool, expected: str) -> None:
    assert choose_precision(given, on_gpu, has_bfloat16) == expected


GB = 10**9


@pytest.fixture(scope="module")
def seven_billion() -> Demand:
    """Qwen2.5-7B-Instruct by its configuration on the hub, with a prefix cache of 1 GiB."""
    return demand_of_preset("qwen2.5-7b", "bfloat16", prefix_bytes=2**30)


def gpus(*free_gb: float) -> list[Device]:
    return [Device(index, int(free * GB)) for index, free in enumerate(free_gb)]


@pytest.mark.parametrize(
    ("preset", "n_parameters"),
    [
        ("qwen2.5-0.5b", 494_032_768),
        ("qwen2.5-1.5b", 1_543_714_304),
        ("qwen2.5-3b", 3_085_938_688),
        ("qwen2.5-7b", 7_615_616_512),
    ],
)
def test_weights_are_those_of_the_real_models(preset: str, n_parameters: int) -> None:
    """Numbers of parameters as the hub counts them in the models' files."""
    skeleton = demand_of_preset(preset, "bfloat16").skeleton
    assert skeleton.n_parameters == n_parameters
    assert skeleton.weight_bytes == pytest.approx(2 * n_parameters, rel=0.001)


def limits_gb(plan: PlacementPlan) -> dict[int, int]:
    return {use.device.index: use.limit_bytes // GB for use in plan.uses}


def test_two_cards_of_12_gb_get_the_original_limits(seven_billion: Demand) -> None:
    plan = plan_gpus(seven_billion, gpus(12, 12), may_choose=False)
    assert plan.fits
    assert limits_gb(plan) == {0: 10, 1: 11}
    assert [use.n_layers for use in plan.uses] == [12, 16]
    assert sum(use.weight_bytes for use in plan.uses) == plan.weight_bytes
    assert all(use.weight_bytes <= use.limit_bytes for use in plan.uses)
    assert 4_000 < plan.batch_tokens < 10_000


def test_what_a_3060_reports_as_free_gives_the_same_limits(seven_billion: Demand) -> None:
    reported = [Device(index, 12_500_074_496, "RTX 3060") for index in (0, 1)]
    plan = plan_gpus(seven_billion, reported, may_choose=True)
    assert limits_gb(plan) == {0: 10, 1: 11}


@pytest.mark.parametrize("free_gb", [24, 80])
def test_one_large_card_takes_it_all(seven_billion: Demand, free_gb: int) -> None:
    plan = plan_gpus(seven_billion, gpus(free_gb), may_choose=True)
    assert plan.fits
    assert set(plan.device_map.values()) == {0}


def test_three_cards_of_8_gb_share_it(seven_billion: Demand) -> None:
    plan = plan_gpus(seven_billion, gpus(8, 8, 8), may_choose=True)
    assert plan.fits
    assert limits_gb(plan) == {0: 6, 1: 7, 2: 7}
    assert sum(use.n_layers for use in plan.uses) == 28
    assert min(use.n_layers for use in plan.uses) > 0


@pytest.mark.parametrize(
    "architecture", ["biogpt", "ctrl", "gpt2", "llama", "mamba", "openai-gpt", "zamba2"]
)
def test_every_layer_of_an_architecture_is_placed_once(architecture: str) -> None:
    config = tiny_config(architecture)
    demand = Demand(Skeleton(config, "bfloat16"), config, "bfloat16")

    plan = plan_gpus(demand, gpus(12), may_choose=True)

    assert plan.fits
    assert [use.n_layers for use in plan.uses] == [config.num_hidden_layers]


def test_layers_stay_whole_where_transformers_names_none() -> None:
    skeleton = Skeleton(tiny_config("biogpt"), "bfloat16")
    for percent in range(10, 100, 5):
        limits = {0: skeleton.weight_bytes * percent // 100, 1: 2 * skeleton.weight_bytes}
        assert sum(skeleton.layers_by_device(skeleton.split(limits)).values()) == 2


def test_two_cards_of_8_gb_do_not_hold_it(seven_billion: Demand) -> None:
    plan = plan_gpus(seven_billion, gpus(8, 8), may_choose=True)
    assert not plan.fits
    assert plan.batch_tokens == 0


def test_cards_of_different_size_share_by_what_they_can_take(seven_billion: Demand) -> None:
    plan = plan_gpus(seven_billion, gpus(24, 12), may_choose=False)
    large, small = plan.uses
    assert plan.fits
    assert large.weight_bytes > 1.5 * small.weight_bytes


def test_the_fewest_cards_that_do_are_chosen(seven_billion: Demand) -> None:
    plan = plan_gpus(seven_billion, gpus(12, 4, 12, 12), may_choose=True)
    assert [use.device.index for use in plan.uses] == [0, 2]


def test_a_small_model_is_not_spread_over_the_cards_that_were_named() -> None:
    small = demand_of_preset("qwen2.5-0.5b", "float16")
    plan = plan_gpus(small, gpus(10, 12), may_choose=False)
    assert set(plan.device_map.values()) == {1}


def test_weights_without_room_for_a_batch_do_not_fit(seven_billion: Demand) -> None:
    plan = plan_gpus(seven_billion, gpus(17.9), may_choose=True)
    assert sum(use.weight_bytes for use in plan.uses) <= 16 * GB
    assert not plan.fits


def test_quantised_layers_take_less() -> None:
    sizes = [
        demand_of_preset("qwen2.5-7b", "bfloat16", quantization).skeleton.weight_bytes / GB
        for quantization in ("none", "8bit", "4bit")
    ]
    assert sizes == pytest.approx([15.23, 8.71, 5.44], abs=0.01)


def test_after_running_out_of_memory_a_gb_is_left_free_then_another_card_is_taken(
    seven_billion: Demand,
) -> None:
    plans = list(fallbacks(seven_billion, gpus(18, 6, 6), may_choose=True))
    assert [limits_gb(plan) for plan in plans] == [{0: 15, 1: 4}, {0: 15, 1: 4, 2: 4}]


def test_cards_that_were_named_stay_the_only_ones(seven_billion: Demand) -> None:
    plans = list(fallbacks(seven_billion, gpus(18, 6), may_choose=False))
    assert [[use.device.index for use in plan.uses] for plan in plans] == [[0, 1]]


@pytest.mark.parametrize(
    ("free_gb", "expected"), [((24,), []), ((24, 24), [[0, 1]]), ((12, 12, 12), [[0, 1, 2]])]
)
def test_a_plan_that_would_move_no_weights_is_no_fallback(
    seven_billion: Demand, free_gb: tuple[int, ...], expected: list[list[int]]
) -> None:
    plans = list(fallbacks(seven_billion, gpus(*free_gb), may_choose=True))
    assert [[use.device.index for use in plan.uses] for plan in plans] == expected


def test_without_room_for_less_there_is_no_fallback(seven_billion: Demand) -> None:
    assert list(fallbacks(seven_billion, gpus(10, 10), may_choose=False)) == []


def test_without_gpus_a_model_goes_to_the_cpu(seven_billion: Demand) -> None:
    plan = plan_cpu(seven_billion, 24 * GB)
    assert (plan.fits, plan.uses, plan.device_map) == (True, (), {"": "cpu"})
    assert not plan_cpu(seven_billion, 15 * GB).fits


@pytest.mark.parametrize(
    ("free_gb", "expected"),
    [(24.0, 2**30), (19.0, None), (15.0, 0)],
)
def test_prompts_beginnings_take_at_most_a_quarter_of_what_the_weights_leave(
    seven_billion: Demand, free_gb: float, expected: int | None
) -> None:
    plan = plan_cpu(seven_billion, int(free_gb * GB))
    left = free_gb * GB - plan.weight_bytes
    assert plan.prefix_bytes == pytest.approx(left / 4 if expected is None else expected, abs=1)
    assert plan.prefix_bytes <= 2**30


def test_a_plan_takes_no_more_of_the_cpu_than_there_is(seven_billion: Demand) -> None:
    narrow, roomy = plan_cpu(seven_billion, 20 * GB), plan_cpu(seven_billion, 24 * GB)
    assert narrow.fits
    assert narrow.cpu_bytes < 20 * GB
    assert narrow.cpu_bytes < roomy.cpu_bytes < 24 * GB


def machine(*free_gb: float, cpu_gb: float = 64) -> Machine:
    return Machine(tuple(gpus(*free_gb)), True, True, int(cpu_gb * GB))


def test_what_would_fit_is_named(seven_billion: Demand) -> None:
    near = list(alternatives(seven_billion, machine(8, 8)))
    assert near == [
        "quantization=8bit",
        "quantization=4bit",
        "3 GPUs with 8 GB",
        "model=qwen2.5-3b",
        "model=qwen2.5-1.5b",
        "model=qwen2.5-0.5b",
    ]


def test_what_would_not_fit_either_is_left_out(seven_billion: Demand) -> None:
    assert list(alternatives(seven_billion, machine(5)))[:2] == [
        "5 GPUs with 5 GB",
        "model=qwen2.5-0.5b",
    ]


def test_a_model_that_does_not_fit_says_so_in_one_line(seven_billion: Demand) -> None:
    plan = plan_gpus(seven_billion, gpus(8, 8), may_choose=True)
    text = does_not_fit("qwen2.5-7b", seven_billion, plan, machine(8, 8))
    assert text == (
        "model=qwen2.5-7b: needs 15.2 GB for its weights, GPU 0,1 with 16.0 GB free has no room "
        "for them and a batch; quantization=8bit, or quantization=4bit, or 3 GPUs with 8 GB"
    )


def test_on_the_cpu_half_the_precision_is_named_first() -> None:
    demand = demand_of_preset("qwen2.5-7b", "float32")
    assert list(alternatives(demand, machine(cpu_gb=20)))[:2] == [
        "precision=bfloat16",
        "model=qwen2.5-3b",
    ]
