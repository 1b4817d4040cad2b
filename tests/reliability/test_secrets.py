"""A secret in every URL parameter and every key variable, and none of them anywhere else."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from argo_ml.cli import execute
from argo_ml.sweep.journal import Journal

KEYS = {
    "ARGO_ML_API_KEY": "sk-planted-argo",
    "OPENAI_API_KEY": "sk-planted-openai",
    "HF_TOKEN": "hf-planted-token",
    "MLFLOW_TRACKING_TOKEN": "planted-mlflow",
}
PARAMETERS = ("server_urls", "chroma_url", "tracking_uri", "storage", "documents", "ray_address")
SMALL = ("--n_questions", "2", "--retrieval_costs", "0.1", "--strategies", "argo,never")
QUICK = ("--max_retries", "0", "--request_timeout_s", "5")


def password(name: str) -> str:
    return f"planted/{name}@1"


def quoted(name: str) -> str:
    return f"planted%2F{name}%401"


def spellings(name: str) -> list[str]:
    header = base64.b64encode(f"me:{password(name)}".encode()).decode()
    return [password(name), quoted(name), header]


SECRETS = [*KEYS.values(), *(text for name in PARAMETERS for text in spellings(name))]


class Echo(BaseHTTPRequestHandler):
    """Refuses everything, and says with which headers it was asked."""

    def do_GET(self) -> None:
        content = json.dumps({"error": {"message": str(self.headers)}}).encode()
        self.send_response(401)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Standard error is the test's."""


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder, whose environment has every key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARGO_ML_DEBUG", "")
    monkeypatch.setenv("ARGO_ML_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    return tmp_path


def url(name: str, host: str, scheme: str = "http") -> str:
    return f"{scheme}://me:{quoted(name)}@{host}"


def script(place: Path) -> str:
    """A model whose answers are hashes of the requests."""
    (place / "script.json").write_text(json.dumps({"default": "hash"}))
    return f"scripted:{place / 'script.json'}"


def run(arguments: Sequence[str], place: Path, debug: str) -> int:
    local = ["--cache_dir", str(place / "cache")]
    prefix = ["--debug"] if debug else []
    with contextlib.suppress(KeyError, KeyboardInterrupt):
        return execute([*prefix, *arguments, *local])
    return 1


def check_nothing_shown(place: Path, shown: Sequence[str]) -> None:
    files = {str(path): path.read_bytes() for path in place.rglob("*") if path.is_file()}
    said = {**files, "output": "\n".join(shown).encode(errors="replace")}
    leaks = [
        (where, secret)
        for where, text in said.items()
        for secret in SECRETS
        if secret.encode() in text
    ]
    assert leaks == []


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


FAILING = {
    "server": ["sweep", "--model", "server:m", "--server_urls", "{server_urls}", *SMALL, *QUICK],
    "doctor": ["doctor", "--model", "server:m", "--server_urls", "{server_urls}", *QUICK],
    "tracking": ["verify", "0123", "--tracking_uri", "{tracking_uri}"],
    "report": ["report", "--run_id", "0123", "--tracking_uri", "{tracking_uri}"],
    "chroma": ["index", "--chroma_url", "{chroma_url}"],
    "documents": ["index", "--documents", "{documents}"],
    "storage": ["tune", "--storage", "{storage}", "--model", "{model}", *SMALL[:2]],
    "ray": ["sweep", "--executor", "ray", "--ray_address", "{ray_address}", "--model", "x", *SMALL],
    "unreadable": ["sweep", "--server_urls", "me:{server_urls}", "--model", "server:m"],
    "compare": [
        *("compare", "--models", "server:m,server:n", "--server_urls", "{server_urls}"),
        *(*SMALL, *QUICK),
    ],
    "calibrate": [
        *("calibrate", "--model", "server:m", "--server_urls", "{server_urls}"),
        *(*SMALL[:2], *QUICK),
    ],
    "answer": ["answer", "Why?", "--model", "server:m", "--server_urls", "{server_urls}", *QUICK],
}


@pytest.mark.parametrize(
    ("case", "debug"),
    [*((case, "") for case in FAILING), ("storage", "debug"), ("unreadable", "debug")],
)
def test_a_command_that_fails_shows_no_secret(
    case: str,
    debug: str,
    echo: str,
    place: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    values = {
        **{name: url(name, echo) for name in PARAMETERS},
        "storage": url("storage", "127.0.0.1:1/db", "postgresql"),
        "ray_address": f"me:{quoted('ray_address')}@127.0.0.1:1",
        "model": script(place),
    }
    code = run([part.format(**values) for part in FAILING[case]], place, debug)
    assert code != 0
    captured = capfd.readouterr()
    assert captured.err
    check_nothing_shown(place, [captured.out, captured.err])


SUCCEEDING = {
    "tune": [
        "tune",
        "--n_questions",
        "4",
        "--n_trials",
        "1",
        "--retrieval_costs",
        "0.1",
        "--pruning",
        "false",
    ],
    "calibrate": ["calibrate", "--explorations", "0", "--max_steps", "1", "--n_questions", "10"],
}


@pytest.mark.slow
@pytest.mark.usefixtures("cache_dir", "tracking_uri", "quick_figures")
@pytest.mark.parametrize("command", SUCCEEDING)
def test_a_study_and_a_calibration_that_succeed_keep_no_secret(
    command: str,
    place: Path,
    echo: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ARGO_ML_SERVER_URLS", url("server_urls", echo))
    assert run([*SUCCEEDING[command], "--model", script(place)], place, "") == 0
    captured = capfd.readouterr()
    check_nothing_shown(place, [captured.out, captured.err])


@pytest.mark.slow
@pytest.mark.usefixtures("cache_dir", "tracking_uri", "quick_figures")
def test_a_sweep_that_is_resumed_with_passwords_keeps_none(
    place: Path,
    echo: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret = url("server_urls", echo)
    monkeypatch.setenv("ARGO_ML_SERVER_URLS", secret)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "write", interrupted)
        assert run(["sweep", "--model", script(place), *SMALL], place, "") != 0
        [spec] = place.rglob("spec.yaml")
        resume = ["sweep", "--resume", spec.parents[1].name]
        patch.delenv("ARGO_ML_SERVER_URLS")
        assert run([*resume, "--server_urls", secret], place, "") != 0
    assert run(resume, place, "") == 0
    captured = capfd.readouterr()
    check_nothing_shown(place, [captured.out, captured.err])


@pytest.mark.slow
@pytest.mark.usefixtures("cache_dir", "tracking_uri", "quick_figures")
def test_a_sweep_that_succeeds_keeps_no_secret(
    place: Path,
    echo: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ARGO_ML_SERVER_URLS", url("server_urls", echo))
    for command in ("estimate", "sweep"):
        assert run([command, "--model", script(place), *SMALL], place, "") == 0
    run(["verify"], place, "")
    captured = capfd.readouterr()
    specs = [path.read_text() for path in place.rglob("spec.yaml")]
    assert any("give what has PASSWORD@ or *** in it again" in text for text in specs)
    check_nothing_shown(place, [captured.out, captured.err])
