"""How vLLM is started. A stand-in takes its place: vLLM itself needs an environment of its own."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest
from builders.engine_servers import process_of

from argo_ml.config import ExperimentSpec
from argo_ml.errors import ModelError
from argo_ml.models import load_model

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


@pytest.mark.slow
def test_vllm_is_started_with_what_the_parameters_say(environment: Path, tmp_path: Path) -> None:
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
            *("--enable-prefix-caching", "--revision", "v1", "--dtype", "bfloat16"),
            *("--tensor-parallel-size", "2"),
        ]
        assert gpus == "2,3"
        assert model.identity == "server org/name prompts=chat scores=none"
    finally:
        process_of(model).close()


def test_without_vllm_it_is_said_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelError, match=r"no vllm on PATH; install it .* engine_path=~/vllm"):
        load_model(ExperimentSpec(model="org/name", engine="vllm"))
    with pytest.raises(ModelError, match=r"engine_path=\S+: has no program vllm; name its"):
        load_model(ExperimentSpec(model="org/name", engine="vllm", engine_path=str(tmp_path)))
