"""Questions that are longer than what an embedding model reads of a text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from argo_ml.config import CorpusSpec
from argo_ml.config.source_fields import DENSE, HYBRID
from argo_ml.corpus.embedder_prompts import GivenPrompts, query_prompt
from argo_ml.types import Question

REMEDY = "retriever=bm25 reads all of them"
TOKENIZER = "tokenizer.json"
_LIMITS = (
    ("sentence_bert_config.json", "max_seq_length"),
    ("tokenizer_config.json", "model_max_length"),
)
"""Where a model has saved how many tokens it reads; the library takes the first that is there."""
_ADDED_TOKENS = 8
"""At most so many tokens of a text are no part of it, such as those at its ends."""


def long_questions(spec: CorpusSpec, folder: Path, questions: Sequence[Question]) -> str:
    """What is to be said of questions of which retrieval sees the beginning alone.

    Empty where there are none, where the retriever reads words, and where ``folder``, that of the
    embedding model, does not say how much it reads. The model is not loaded.
    """
    limit = _limit(folder) if spec.retriever in (DENSE, HYBRID) else None
    if limit is None:
        return ""
    prompt = query_prompt(folder, GivenPrompts(query=spec.query_prompt))
    texts = [f"{prompt}{question.text}" for question in questions]
    n_long = _n_longer(texts, limit, _transformer(folder) / TOKENIZER)
    if not n_long:
        return ""
    return (
        f"{n_long} of {len(questions)} questions are longer than the {limit} tokens that "
        f"{spec.embedding_model} reads, so that search by vectors sees their beginning alone"
    )


def _n_longer(texts: Sequence[str], limit: int, tokenizer_path: Path) -> int:
    encoded = [text.encode("utf-8", "replace") for text in texts]
    # A token is a byte or more, so that few need be counted.
    perhaps = [text.decode() for text in encoded if len(text) + _ADDED_TOKENS > limit]
    if not perhaps or not tokenizer_path.is_file():
        return 0
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return sum(len(tokenizer.encode(text).ids) > limit for text in perhaps)


def _limit(folder: Path) -> int | None:
    for name, key in _LIMITS:
        saved = _saved(_transformer(folder) / name)
        limit = saved.get(key) if isinstance(saved, dict) else None
        if isinstance(limit, int):
            return limit
    return None


def _transformer(folder: Path) -> Path:
    """The folder of the module that reads texts, within that of the whole model."""
    modules = _saved(folder / "modules.json")
    first = modules[0] if isinstance(modules, list) and modules else {}
    return folder / str(first.get("path", "")) if isinstance(first, dict) else folder


def _saved(path: Path) -> Any:
    """What a JSON file holds; nothing where it cannot be read, of which the library says why."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
