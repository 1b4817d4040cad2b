"""Parameters that a command would not read beside the others: refused, whoever gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from argo_ml.cli.commands import execute
from argo_ml.cli.options import SpecCommand
from argo_ml.config import AdviseSpec, AnswerSpec, ReplaySpec, Spec, SweepSpec, build
from argo_ml.errors import ConfigError
from argo_ml.interface import jobs
from argo_ml.models import precision

URL = "http://h:1"
SERVED = ["--model", "server:m", "--server_urls", URL]
OF_WEIGHTS = {
    "precision": "float16",
    "quantization": "4bit",
    "batch_tokens": "500",
    "prefix_cache_mb": "99",
}


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (f"sweep --server_urls {URL}", f"server_urls={URL} needs model=server:NAME"),
        (f"doctor --server_urls {URL}", f"server_urls={URL} needs model=server:NAME"),
        (
            f"compare --models a/b,c/d --server_urls {URL}",
            f"server_urls={URL} needs server:NAME among models",
        ),
        ("sweep --engine_path /x", "engine_path=/x needs engine=vllm"),
        ("plan --devices 12GB --device cpu", "devices=12000000000 is not read with device=cpu"),
        ("plan --devices 12GB --gpus none", "devices=12000000000 is not read with device=cpu"),
        (
            "advise --outcomes {file} --difficulty hard",
            "difficulty=hard is not read with outcomes",
        ),
        ("advise --outcomes {file} --n_test 50", "n_test=50 is not read with outcomes"),
        ("advise --outcomes {file} --documents .", "documents=. is not read with outcomes"),
        ("advise --tune_share 0.5", "tune_share=0.5 needs outcomes"),
        ("advise --calibration_share 0.5", "calibration_share=0.5 needs outcomes"),
        ("advise --repeated_questions leave_out", "repeated_questions=leave_out needs outcomes"),
        ("advise --replace true", "replace=True needs publish_as"),
        (
            "replay --outcomes {file} --calibration_outcomes {file} --calibration_share 0.2",
            "calibration_share=0.2 is not read with calibration_outcomes; leave one out",
        ),
        ("verify --sweep A --study B", "sweep=A is not read with study; leave one out"),
        ("verify --storage sqlite:///x.db", "storage=sqlite:///x.db needs study"),
        ("doctor --only_inputs --repair", "repair=True is not read with only_inputs"),
        ("doctor --only_inputs --quick", "quick=True is not read with only_inputs"),
        ("doctor --repair --quick", "quick=True is not read with repair"),
        *(
            (f"{name} --n_prices 3 --retrieval_costs 0.1", "n_prices=3 is not read with retrieval")
            for name in ("sweep", "estimate", "compare --models a/b,c/d")
        ),
        (
            "sweep --strategies argo,never --theta_star 0.9",
            "theta_star=0.9: nothing of strategies=argo,never reads it; leave it out, or name one "
            "that does, such as fixed_threshold",
        ),
        ("run --strategy argo --theta_cont 0.2", "theta_cont=0.2: nothing of strategy=argo reads"),
        ("answer Why? --theta_star 0.9", "theta_star=0.9: nothing of strategy=argo reads it"),
        ("sweep --gate_budget 0.3", "gate_budget=0.3: nothing of strategies=argo,"),
        ("tune --gate_budget 0.3", "gate_budget=0.3: nothing of strategy=fixed_threshold reads"),
        (
            "replay --outcomes {file} --policies never --gate_budget 0.3",
            "gate_budget=0.3: nothing of policies=never reads it",
        ),
        (
            "sweep --strategies max_prob_gate --abstain_below 0.2",
            "abstain_below=0.2: nothing of strategies=max_prob_gate reads it; leave it out, or "
            "name one that does, such as graded",
        ),
        ("sweep --oracle_steps 3", "oracle_steps=3: nothing of strategies=argo,"),
        ("sweep --strategies max_prob_gate --delta 0.1", "delta=0.1 needs guarantee"),
        *(
            (
                f"sweep --model server:m --server_urls {URL} --{name} {value}",
                f"{name}={value} is not read with model=server:m; leave one out",
            )
            for name, value in OF_WEIGHTS.items()
        ),
        (
            f"compare --models server:a,server:b --server_urls {URL} --precision float16",
            "precision=float16 is not read with models=server:a,server:b; leave one out",
        ),
        (
            "sweep --engine llamacpp --precision float16",
            "precision=float16 is not read with engine=",
        ),
        ("sweep --engine vllm --batch_tokens 500", "batch_tokens=500 is not read with engine=vllm"),
        (
            "sweep --retriever mine --documents nowhere",
            "documents=nowhere is not read with retriever=mine, which searches passages of its "
            "own; leave it out, or use retriever=dense, bm25 or hybrid",
        ),
        ("index --retriever mine --chunk_size 99", "chunk_size=99 is not read with retriever=mine"),
        (
            "sweep --calibration r1 --gains measured --delta_r 0.4",
            "delta_r=0.4 is not read with gains=measured; leave one out",
        ),
        ("sweep --alpha 5", "alpha=5 needs quality=saturating or sigmoid"),
        ("tune --quality sqrt --alpha 5", "alpha=5 needs quality=saturating or sigmoid"),
    ],
)
def test_what_nothing_reads_is_refused(
    command: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("outcomes.jsonl").touch()

    code = execute(command.format(file="outcomes.jsonl").split())

    assert code == 1
    assert f"error: {message}" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["outcomes.jsonl"]


def read(spec_type: type[Spec], *arguments: str) -> Spec:
    """The spec that a command of these arguments would be carried out with."""
    seen: list[Spec] = []
    command = SpecCommand("command", spec_type, seen.append)
    command.main(list(arguments), standalone_mode=False)
    return seen[0]


@pytest.mark.parametrize(
    ("spec_type", "arguments"),
    [
        (SweepSpec, SERVED),
        (SweepSpec, ["--strategies", "argo,fixed_threshold", "--theta_star", "0.5"]),
        (SweepSpec, ["--strategies", "argo", "--oracle_steps", "2"]),
        # What was begun has the model, which servers moved.
        (SweepSpec, ["--resume", "r1", "--server_urls", URL]),
        (SweepSpec, ["--resume", "r1", "--theta_star", "0.5"]),
        # The calibration brings the model.
        (AnswerSpec, ["--calibration", "r1", "--server_urls", URL]),
        (AdviseSpec, ["--outcomes", __file__, "--tune_share", "0.5", "--model", "theirs"]),
        (SweepSpec, ["--quality", "sigmoid", "--alpha", "5"]),
        (SweepSpec, ["--engine", "vllm", "--precision", "float16"]),
        (SweepSpec, ["--resume", "r1", *SERVED, "--quantization", "4bit"]),
        (SweepSpec, ["--retriever", "mine", "--embedding_model", "org/name"]),
        (AnswerSpec, ["--calibration", "r1", "--quantization", "4bit"]),
    ],
)
def test_what_something_reads_is_not(spec_type: type[Spec], arguments: list[str]) -> None:
    assert read(spec_type, *arguments)


def test_what_the_environment_sets_for_all_commands_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGO_ML_SERVER_URLS", URL)
    monkeypatch.setenv("ARGO_ML_GATE_BUDGET", "0.3")

    assert read(SweepSpec)


@pytest.mark.parametrize("model", ["/models/qwen-72b", "llama3:8b", "server:gpt-4o", "~nobody0/m"])
@pytest.mark.parametrize("spec_type", [ReplaySpec, AdviseSpec])
def test_a_model_of_recorded_outcomes_is_any_text(
    spec_type: type[Spec], model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda: True)

    spec = read(spec_type, "--outcomes", __file__, "--model", model)

    assert getattr(spec, "model", "") == model
    assert getattr(spec, "precision", "auto") == "auto"


def test_what_runs_have_stored_stays_readable() -> None:
    stored = {"model": "server:m", "server_urls": URL, **OF_WEIGHTS, "alpha": "5"}

    assert build(SweepSpec, stored).quantization == "4bit"


def test_the_python_interface_refuses_it_too() -> None:
    with pytest.raises(ConfigError, match="server_urls=http://h:1 needs model=server:NAME"):
        jobs.sweep(server_urls=URL)
    with pytest.raises(ConfigError, match=r"theta_star=0\.9: nothing of strategies=argo reads it"):
        jobs.estimate(strategies=["argo"], theta_star=0.9)
