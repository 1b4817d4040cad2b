"""How vLLM is started. A stand-in takes its place: vLLM itself needs an environment of its own."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from pathlib import Path

import pytest
from builders.engine_servers import process_of
from huggingface_hub import constants

from argo_ml.config import ExperimentSpec
from argo_ml.errors import ModelError
from argo_ml.library_settings import ENVIRONMENT, OWN, set_library_defaults
from argo_ml.models import LanguageModel, load_model
from argo_ml.models.base import Generation, Prompt, can_score
from argo_ml.models.capacity import requests_at_once
from argo_ml.models.engines import base, vllm
from argo_ml.models.engines.base import PreparedServer
from argo_ml.models.presets import resolve

COMMITS = {"v1": "1" * 40, "v2": "2" * 40, "main": "2" * 40}
STAND_IN = """#!{python}
import json, pathlib, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
given = sys.argv[1:]
gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "")
pathlib.Path({log!r}).write_text(json.dumps([given, gpus]))
ANSWERS = {{
    "/v1/models": {{"data": [{{"id": given[1], "max_model_len": 4096}}]}},
    "/v1/chat/completions": {{"choices": [{{"message": {{"content": "yes"}}}}]}},
}}
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        length = int(self.headers.get("Content-Length", 0))
        self.rfile.read(length)
        content = json.dumps(ANSWERS.get(self.path, {{}})).encode()
        self.send_response(200 if self.path in (*ANSWERS, "/health") else 404)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
    do_POST = do_GET
    def log_message(self, *_): pass
HTTPServer(("127.0.0.1", int(given[given.index("--port") + 1])), Handler).serve_forever()
"""


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment's folder with a stand-in for the program ``vllm``."""
    program = tmp_path / "environment" / "bin" / "vllm"
    program.parent.mkdir(parents=True)
    program.write_text(STAND_IN.format(python=sys.executable, log=str(tmp_path / "log")))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program.parents[1]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Downloaded copies of org/name at the commits of its tags v1 and v2; the hub is away."""
    for tag, commit in COMMITS.items():
        snapshot = tmp_path / "hub" / "models--org--name" / "snapshots" / commit
        snapshot.mkdir(parents=True, exist_ok=True)
        (snapshot / "config.json").write_text('{"max_position_embeddings": 32768}')
        (snapshot.parents[1] / "refs").mkdir(exist_ok=True)
        (snapshot.parents[1] / "refs" / tag).write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "model.safetensors").write_bytes(b"weights")
    return model


def prepared(environment: Path, model: str, **values: object) -> PreparedServer:
    given = {"model": model, "engine": "vllm", "engine_path": str(environment), "device": "cpu"}
    cache = str(environment.parent / "cache")
    spec = ExperimentSpec.model_validate({**given, "cache_dir": cache, **values})
    source = resolve(spec.model, spec.cache_path)
    return vllm.prepare(spec, source, vllm.find_files(spec, source))


@pytest.mark.slow
def test_vllm_is_started_with_what_the_parameters_say(
    environment: Path, tmp_path: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "count_visible_gpus", lambda: 4)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7")
    model = load_model(
        ExperimentSpec(
            model="org/name@v1",
            engine="vllm",
            engine_path=str(environment),
            precision="bfloat16",
            gpus=(2, 3),
            answering="number",
        )
    )
    try:
        given, gpus = json.loads((tmp_path / "log").read_text())
        port = process_of(model).url.rpartition(":")[2]
        assert given == [
            *("serve", "org/name", "--host", "127.0.0.1", "--port", port),
            *("--served-model-name", "org/name", "--max-model-len", "4096"),
            *("--enable-prefix-caching", "--revision", "1" * 40, "--dtype", "bfloat16"),
            *("--tensor-parallel-size", "2"),
        ]
        assert gpus == "6,7"
        known = f"vllm org/name@{'1' * 40} dtype=bfloat16"
        assert model.identity == f"{known} prompts=chat scores=none"
    finally:
        process_of(model).close()


@pytest.mark.slow
def test_a_context_without_room_is_told_as_a_user_of_an_engine_can_help_it(
    environment: Path, tmp_path: Path, folder: Path
) -> None:
    spec = ExperimentSpec(
        model=str(folder),
        engine="vllm",
        engine_path=str(environment),
        evidence_tokens=4000,
        cache_dir=tmp_path / "cache",
        device="cpu",
    )
    named = re.escape(f"engine=vllm: model={folder}: serves a context of 4096 tokens; prompts")
    with pytest.raises(ModelError, match=f"^{named}.*; take another model, or lower evi") as caught:
        load_model(spec)
    assert "--" not in str(caught.value)


@pytest.mark.slow
def test_vllm_that_was_started_before_is_started_at_the_first_call(
    environment: Path, tmp_path: Path, folder: Path
) -> None:
    packages = environment / "lib" / "python3.12" / "site-packages"
    spec = ExperimentSpec(
        model=str(folder),
        engine="vllm",
        engine_path=str(environment),
        answering="number",
        cache_dir=tmp_path / "cache",
        device="cpu",
    )
    log = tmp_path / "log"

    def opened() -> tuple[LanguageModel, bool]:
        """The model, and whether its server was started."""
        log.unlink(missing_ok=True)
        model = load_model(spec)
        if log.exists():
            process_of(model).close()
        return model, log.exists()

    # What is not known to be the same software is asked each time.
    assert [opened()[1] for _ in range(2)] == [True, True]
    (packages / "fastapi-2.0.dist-info").mkdir(parents=True)
    assert [opened()[1] for _ in range(2)] == [True, True]
    for version, expected in (("1.0", True), ("1.0", False), ("1.1", True)):
        (packages / f"vllm-{version}.dist-info").mkdir(parents=True, exist_ok=True)
        assert opened()[1] is expected
    model, is_started = opened()
    assert (is_started, can_score(model), requests_at_once(model)) == (False, False, 1)
    [completion] = model.generate([Generation(Prompt("", "Why?"), 4)])
    process_of(model).close()
    assert (completion.text, log.exists()) == ("yes", True)


@pytest.mark.parametrize(
    ("direct_url", "expected"),
    [
        (None, ["torch-3.0", "vllm-1.0"]),
        ('{"dir_info": {}, "url": "file:///vllm"}', ["torch-3.0", "vllm-1.0"]),
        ('{"dir_info": {"editable": true}, "url": "file:///vllm"}', []),
    ],
)
def test_vllm_whose_code_may_change_is_no_known_software(
    environment: Path, folder: Path, direct_url: str | None, expected: list[str]
) -> None:
    packages = environment / "lib" / "python3.12" / "site-packages"
    for name in ("torch-3.0", "vllm-1.0"):
        (packages / f"{name}.dist-info").mkdir(parents=True)
    if direct_url is not None:
        (packages / "vllm-1.0.dist-info" / "direct_url.json").write_text(direct_url)
    spec = ExperimentSpec(model=str(folder), engine="vllm", engine_path=str(environment))
    files = vllm.find_files(spec, resolve(spec.model, spec.cache_path))
    assert files.versions == expected


def test_vllm_gets_what_the_user_set_and_no_key(
    environment: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*ENVIRONMENT, "PYTORCH_CUDA_ALLOC_CONF", OWN):
        # Set first, so that what the test leaves behind is taken back.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("VLLM_API_KEY", "k3y")
    set_library_defaults()
    assert os.environ["PYTORCH_ALLOC_CONF"] == "expandable_segments:True"

    variables = prepared(environment, str(folder)).command.variables
    assert not {"PYTORCH_ALLOC_CONF", "VLLM_API_KEY"} & variables.keys()
    assert variables["CUDA_DEVICE_ORDER"] == os.environ["CUDA_DEVICE_ORDER"]

    monkeypatch.delenv(OWN)
    variables = prepared(environment, str(folder)).command.variables
    assert variables["PYTORCH_ALLOC_CONF"] == "expandable_segments:True"


def test_calls_of_another_commit_or_precision_have_another_identity(
    environment: Path, hub: Path
) -> None:
    models = ({"model": f"org/name@{tag}"} for tag in ("v1", "v2", "main"))
    precisions = ({"model": "org/name", "precision": name} for name in ("float16", "bfloat16"))
    known = [prepared(environment, **given).identity for given in (*models, *precisions)]
    assert known == [
        f"vllm org/name@{'1' * 40} dtype=auto",
        f"vllm org/name@{'2' * 40} dtype=auto",
        f"vllm org/name@{'2' * 40} dtype=auto",
        f"vllm org/name@{'2' * 40} dtype=float16",
        f"vllm org/name@{'2' * 40} dtype=bfloat16",
    ]


def test_a_model_that_is_saved_anew_has_another_identity(environment: Path, folder: Path) -> None:
    before = prepared(environment, str(folder)).identity
    assert re.fullmatch(r"vllm sha256:[0-9a-f]{64} dtype=auto", before)
    moved = folder.rename(folder.with_name("moved"))
    assert prepared(environment, str(moved)).identity == before
    (moved / "model.safetensors").write_bytes(b"weights of a longer training")
    assert prepared(environment, str(moved)).identity != before


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"max_position_embeddings": 2048}, "2048"),
        ({"n_positions": 1024, "n_ctx": 1024}, "1024"),
        ({"max_position_embeddings": 131072}, "4096"),
        ({"text_config": {"max_position_embeddings": 2048}}, "2048"),
        ({"max_position_embeddings": None}, "4096"),
    ],
)
def test_a_model_is_served_with_no_more_context_than_it_takes(
    environment: Path, folder: Path, config: dict[str, object], expected: str
) -> None:
    (folder / "config.json").write_text(json.dumps(config))
    arguments = list(prepared(environment, str(folder)).command.arguments)
    assert arguments[arguments.index("--max-model-len") + 1] == expected


@pytest.mark.parametrize("content", ["{", "[]", '"text"'])
def test_a_configuration_that_is_none_is_one_line(
    environment: Path, folder: Path, content: str
) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(ModelError, match=r"model/config\.json cannot be read \(") as caught:
        prepared(environment, str(folder))
    assert "\n" not in str(caught.value)


def test_without_vllm_it_is_said_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelError, match=r"no vllm on PATH; install it .* engine_path=~/vllm"):
        load_model(ExperimentSpec(model="org/name", engine="vllm"))
    with pytest.raises(ModelError, match=r"engine_path=\S+: has no program vllm; name its"):
        load_model(ExperimentSpec(model="org/name", engine="vllm", engine_path=str(tmp_path)))
