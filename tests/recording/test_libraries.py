"""The examples of docs/your-own-pipeline.md, with the libraries themselves and models of a rule."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "your-own-pipeline.md"
CAPITALS = {"Peru": "Lima", "France": "Paris", "Ghana": "Accra", "Nepal": "Kathmandu"}
KNOWN = {"France": "Paris"}


def reply(prompt: str) -> str:
    """What the model says: what it has read, else what it knows, else nothing of use."""
    [country] = [name for name in CAPITALS if f"capital of {name}?" in prompt]
    read = re.search(rf"capital of {country} is (\w+)", prompt)
    return read[1] if read else KNOWN.get(country, "Springfield")


def sentences() -> list[str]:
    return [f"The capital of {country} is {capital}." for country, capital in CAPITALS.items()]


@pytest.fixture
def example(tmp_path: Path, tracking_uri: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    lines = [
        {"id": country, "question": f"What is the capital of {country}?", "golden_answers": [name]}
        for country, name in CAPITALS.items()
    ]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, lines)))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    monkeypatch.setenv("HOME", str(tmp_path))
    return {"__name__": "example"}


def run_example(library: str, names: dict[str, Any]) -> Any:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    [block] = [block for block in blocks if f"from {library}" in block]
    exec(compile(block, str(PAGE), "exec"), names)
    return names["recorded"]


def check(recorded: Any) -> None:
    frame = recorded.to_frame()
    assert frame.groupby("plan").correct.sum().to_dict() == {"none": 1, "retrieve": 4}
    line = json.loads(Path(recorded).read_text().splitlines()[0])
    evidence = line["outcomes"]["retrieve"]["evidence"]
    assert evidence[0]["text"] == "The capital of Peru is Lima."


def test_langchain(example: dict[str, Any]) -> None:
    from langchain_core.callbacks import CallbackManagerForRetrieverRun
    from langchain_core.documents import Document
    from langchain_core.language_models.chat_models import SimpleChatModel
    from langchain_core.messages import BaseMessage
    from langchain_core.retrievers import BaseRetriever

    class Rule(SimpleChatModel):
        def _call(self, messages: list[BaseMessage], *others: Any, **options: Any) -> str:
            return reply(str(messages[-1].content))

        @property
        def _llm_type(self) -> str:
            return "rule"

    class Words(BaseRetriever):
        def _get_relevant_documents(
            self, query: str, *, run_manager: CallbackManagerForRetrieverRun
        ) -> list[Document]:
            words = set(query.strip("?").split())
            found = sorted(sentences(), key=lambda text: -len(words & set(text.split())))
            return [Document(page_content=text) for text in found[:1]]

    check(run_example("langchain_core", {**example, "model": Rule(), "retriever": Words()}))


def test_haystack(example: dict[str, Any]) -> None:
    os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")
    haystack = pytest.importorskip("haystack", reason="haystack-ai is not installed")
    from haystack.document_stores.in_memory import InMemoryDocumentStore

    @haystack.component
    class Rule:
        @haystack.component.output_types(replies=list[str])
        def run(self, prompt: str) -> dict[str, list[str]]:
            return {"replies": [reply(prompt)]}

    store = InMemoryDocumentStore()
    store.write_documents([haystack.Document(content=text) for text in sentences()])
    check(run_example("haystack", {**example, "store": store, "generator": Rule()}))


def test_llamaindex(example: dict[str, Any]) -> None:
    pytest.importorskip("llama_index.core", reason="llama-index-core is not installed")
    from llama_index.core.base.llms.types import CompletionResponse, LLMMetadata
    from llama_index.core.llms import CustomLLM
    from llama_index.core.llms.callbacks import llm_completion_callback
    from llama_index.core.retrievers import BaseRetriever
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

    class Rule(CustomLLM):
        @property
        def metadata(self) -> LLMMetadata:
            return LLMMetadata(model_name="rule")

        @llm_completion_callback()
        def complete(self, prompt: str, formatted: bool = False, **_: Any) -> CompletionResponse:
            return CompletionResponse(text=reply(prompt))

        @llm_completion_callback()
        def stream_complete(self, prompt: str, formatted: bool = False, **_: Any) -> Any:
            yield self.complete(prompt)

    class Words(BaseRetriever):
        def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
            words = set(query_bundle.query_str.strip("?").split())
            found = sorted(sentences(), key=lambda text: -len(words & set(text.split())))
            return [NodeWithScore(node=TextNode(text=text), score=1.0) for text in found[:1]]

    check(run_example("llama_index", {**example, "llm": Rule(), "retriever": Words()}))


def test_the_first_example_needs_nothing_but_functions(example: dict[str, Any]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    block = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)[0]
    record_only = block.partition("result = ")[0]
    names = {**example, "my_model": reply, "my_search": lambda question: " ".join(sentences())}
    exec(compile(record_only, str(PAGE), "exec"), names)
    assert names["recorded"].to_frame().correct.sum() == 1 + 4
