"""Contexts of servers: with room for what will be asked, and the same of all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from builders.model_servers import open_model

from argo_ml.config import ContextSpec, ModelSpec
from argo_ml.errors import ModelError
from argo_ml.models.server.contexts import check_context, needed_tokens
from argo_ml.testing.model_server import ModelServer, ServerSettings

StartTelling = Callable[..., str]


@pytest.fixture
def start_telling(tiny_folder: Path) -> Iterator[StartTelling]:
    """Starts a server of this process that tells of a context; returns its address."""
    with ExitStack() as until_the_end:

        def start(context: int, name: str = "tiny") -> str:
            settings = ServerSettings(str(tiny_folder), name=name, context=context)
            server = until_the_end.enter_context(closing(_Closing(settings)))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            return f"http://127.0.0.1:{server.server_port}/vllm/v1"

        yield start


class _Closing(ModelServer):
    def close(self) -> None:
        self.shutdown()
        self.server_close()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, 1024),
        ({"max_new_tokens": 200}, 1096),
        ({"evidence_tokens": 2000, "max_new_tokens": 50}, 2562),
        ({"top_k": 10, "chunk_size": 400, "max_new_tokens": 50}, 1024),
        ({"top_k": 10, "chunk_size": 400, "max_new_tokens": 50, "documents": "folder"}, 4306),
    ],
)
def test_room_is_for_evidence_or_passages_and_an_answer(
    values: dict[str, object], expected: int
) -> None:
    assert needed_tokens(ContextSpec.model_validate(values)) == expected


def test_what_has_no_room_is_said_in_one_line() -> None:
    spec = ContextSpec(evidence_tokens=2000, max_new_tokens=50)
    for context in (0, 2562, 4096):
        check_context("http://host", context, spec)
    with pytest.raises(ModelError) as caught:
        check_context("http://host", 2561, spec)
    assert "context of 2561 tokens; prompts and answers here need 2562" in str(caught.value)
    assert "lower evidence_tokens, top_k, chunk_size or max_new_tokens" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="need 1024 or more"):
        check_context("http://host", 1023, ModelSpec())


def test_servers_of_one_model_with_other_contexts_are_refused(
    start_telling: StartTelling,
) -> None:
    urls = [start_telling(context) for context in (4096, 2048)]
    with pytest.raises(ModelError, match="serve contexts of 4096 and 2048 tokens; start them"):
        open_model(*urls)


def test_servers_of_other_software_or_templates_are_refused(start_telling: StartTelling) -> None:
    url = start_telling(4096)
    with pytest.raises(ModelError, match="do not serve the same: 'server tiny") as caught:
        open_model(url, url.replace("/vllm/", "/chat/"))
    assert "\n" not in str(caught.value)
