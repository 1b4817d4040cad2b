"""Groups of fields about what is opened: the cache, questions, documents and models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from argo_ml.addresses import check_names
from argo_ml.config.base import (
    HelpSection,
    Names,
    Positive,
    Spec,
    left_out_at_default,
    not_read_with,
    operational,
    split_commas,
)
from argo_ml.config.grading import GradingFields

EMBEDDED_MODEL = "smollm2-135m"
EMBEDDED_EMBEDDER = "all-minilm-l6-v2"
SERVER = "server:"
"""Before the name of a model that a server has."""

ModeName = Literal["small", "medium", "full"]
MODES: Mapping[str, tuple[int, int]] = {"small": (10, 5), "medium": (100, 10), "full": (1000, 10)}
"""Mode -> (questions, prices), the original study's sizes."""


class DatabaseFields(Spec):
    section: ClassVar[HelpSection] = HelpSection.TRACKING

    database_timeout_s: float = Field(
        120.0,
        ge=0,
        le=86_400,
        **operational("Seconds to wait for a database that another program keeps locked."),
    )


class CacheFields(DatabaseFields):
    section: ClassVar[HelpSection] = HelpSection.TRACKING

    cache_dir: Path = Field(
        Path("~/.cache/argo_ml"),
        **operational("Folder for models, indexes, the call cache and unfinished sweeps."),
    )

    @property
    def cache_path(self) -> Path:
        return self.cache_dir.expanduser().resolve()

    @property
    def calls_path(self) -> Path:
        """The database of language-model calls."""
        return self.cache_path / "calls.sqlite"

    @property
    def indexes_path(self) -> Path:
        """The folder of embedded indexes, and of the locks that guard building any index."""
        return self.cache_path / "indexes"


class DatasetFields(Spec):
    section: ClassVar[HelpSection] = HelpSection.QUESTIONS

    dataset: str = Field(
        "atlas",
        description="Source of questions, and of documents where none are named: atlas (embedded), "
        "oran_bench, jsonl (FlashRAG), mlflow:NAME (an evaluation dataset), or a plugin's.",
    )


class SampleFields(DatasetFields):
    """Which of the data set's questions are asked."""

    section: ClassVar[HelpSection] = HelpSection.QUESTIONS

    questions: str = Field(
        "",
        **operational("Folder of ORAN-Bench-13K or JSONL file; empty for atlas or once fetched."),
    )
    split: Literal["test", "tune", "calibration", "all"] = Field(
        "test", description="Named split; calibration, tune and test are disjoint."
    )
    difficulty: Literal["easy", "medium", "hard", "all"] = Field(
        "hard", description="Difficulty of the questions; all for a mixture."
    )
    mode: ModeName = Field(
        "small", description="Size: small 10 questions x 5 prices, medium 100 x 10, full 1000 x 10."
    )
    n_questions: int | None = Field(None, ge=1, description="Questions; empty for the mode's.")

    @model_validator(mode="after")
    def _questions_named(self) -> SampleFields:
        if self.dataset == "jsonl" and not self.questions:
            raise ValueError("dataset=jsonl needs questions=FILE.jsonl")
        return self

    @property
    def question_limit(self) -> int:
        return self.n_questions or MODES[self.mode][0]


class SeedFields(Spec):
    section: ClassVar[HelpSection] = HelpSection.QUESTIONS

    seed: int = Field(42, description="Seed of sampling, shuffling and every random draw.")


class QuestionFields(GradingFields, SeedFields, SampleFields):
    """The questions of an experiment."""


class DocumentFields(Spec):
    section: ClassVar[HelpSection] = HelpSection.DOCUMENTS

    documents: str = Field(
        "",
        **operational("Folder of documents or FlashRAG corpus JSONL; empty for atlas's own."),
    )
    document_seconds: float = Field(
        60.0,
        gt=0,
        allow_inf_nan=False,
        **operational("Processor time to read one document; it is left out beyond that."),
    )
    document_mb: int = Field(
        1536, ge=128, **operational("Memory to read one document; it is left out beyond that.")
    )
    chunk_size: int = Field(160, ge=16, le=4096, description="Passage size, embedder tokens.")
    chunk_overlap: int = Field(20, ge=0, description="Overlap of neighbouring passages, tokens.")

    @model_validator(mode="after")
    def _overlap_below_size(self) -> DocumentFields:
        if self.chunk_overlap >= self.chunk_size:
            raise ValueError(
                f"chunk_overlap={self.chunk_overlap} must be below chunk_size={self.chunk_size}"
            )
        return self


QUERY_PROMPT = "What the embedding model reads before every query; empty: what it has saved."


class EmbeddingFields(Spec):
    """How passages are embedded, and where their index is."""

    section: ClassVar[HelpSection] = HelpSection.DOCUMENTS

    embedding_model: str = Field(
        EMBEDDED_EMBEDDER, description="Sentence Transformers model: embedded, folder or hub id."
    )
    query_prompt: str = Field("", **left_out_at_default(QUERY_PROMPT))
    passage_prompt: str = Field(
        "",
        **left_out_at_default(
            "What the embedding model reads before every passage; empty: what it has saved."
        ),
    )
    chroma_url: str = Field("", **operational("URL of a Chroma server; empty for embedded."))


DENSE, BM25, HYBRID = "dense", "bm25", "hybrid"
RETRIEVERS = (DENSE, BM25, HYBRID)
"""Those that search the documents; any other is a plugin's or a program's, which has its own."""
OF_DOCUMENTS = (*DocumentFields.model_fields, "chroma_url")
"""Parameters of the documents that they search, and of their index."""


class RetrieverFields(Spec):
    """How passages are found."""

    section: ClassVar[HelpSection] = HelpSection.DOCUMENTS

    retriever: str = Field(
        DENSE,
        **left_out_at_default(
            "dense (nearest vectors), bm25 (words), hybrid (both, by reciprocal ranks), or a "
            "plugin's."
        ),
    )
    reranker: str = Field(
        "",
        **left_out_at_default(
            "Sentence Transformers cross-encoder that orders the first passages anew: a folder; "
            "empty: none."
        ),
    )

    @property
    def searches_documents(self) -> bool:
        return self.retriever in RETRIEVERS


class CorpusFields(RetrieverFields, EmbeddingFields, DocumentFields, CacheFields):
    """The documents of an experiment, made ready to be retrieved from."""

    @property
    def given_documents(self) -> str:
        """What the user gives to be retrieved from; empty where the dataset has to bring it."""
        return self.documents if self.searches_documents else f"retriever {self.retriever}"

    def unread(self) -> Iterator[tuple[str, str]]:
        yield from super().unread()
        if not self.searches_documents:
            reason = (
                f"is not read with retriever={self.retriever}, which searches passages of its own; "
                f"leave it out, or use retriever={', '.join(RETRIEVERS[:-1])} or {RETRIEVERS[-1]}"
            )
            yield from ((name, reason) for name in OF_DOCUMENTS)


class ModelNameFields(Spec):
    section: ClassVar[HelpSection] = HelpSection.MODEL

    model: str = Field(
        EMBEDDED_MODEL,
        description="Preset, folder, GGUF file, hub id, server:NAME, scripted:FILE, or a plugin's.",
    )

    @property
    def opens_model(self) -> bool:
        return True


class DeviceFields(Spec):
    section: ClassVar[HelpSection] = HelpSection.MODEL

    device: str = Field("auto", **operational("auto, cpu, or cuda."))
    gpus: Annotated[tuple[int, ...], BeforeValidator(split_commas)] = Field(
        (),
        **operational(
            "GPU ids to use, comma-separated; auto or empty: the fewest that do; none: the CPU."
        ),
    )

    @model_validator(mode="before")
    @classmethod
    def _gpus_in_words(cls, values: object) -> object:
        """auto is as if not given, and none is the CPU."""
        if not isinstance(values, dict):
            return values
        given = values.get("gpus")
        if not isinstance(given, str) or given not in ("auto", "none"):
            return values
        others = {name: value for name, value in values.items() if name != "gpus"}
        if given == "auto":
            return others
        if values.get("device", "auto") == "cuda":
            raise ValueError("gpus=none: device=cuda needs one; leave one out")
        return {**others, "device": "cpu"}


class PrecisionFields(Spec):
    section: ClassVar[HelpSection] = HelpSection.MODEL

    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto",
        description=(
            "auto: what is fastest here: bfloat16 on GPUs that have it, else float16; on a CPU "
            "bfloat16 where it has AMX, else float32."
        ),
    )
    quantization: Literal["none", "8bit", "4bit"] = Field(
        "none", description="Weights of linear layers by bitsandbytes, on GPUs: none, 8bit or 4bit."
    )


DEFAULT_THINKING_TOKENS = 1024


class EngineFields(Spec):
    section: ClassVar[HelpSection] = HelpSection.MODEL

    engine: Literal["auto", "plain", "llamacpp", "vllm"] = Field(
        "auto",
        **operational(
            "What runs the model: plain: Transformers' own generate, one prompt at a time; auto: "
            "much faster, and plain where an architecture needs it; llamacpp (GGUF files), vllm: "
            "a server that the run starts and ends."
        ),
    )
    engine_path: str = Field(
        "", **operational("engine=vllm: vllm's program or environment; empty: the one on PATH.")
    )
    hidden_states: bool = Field(
        False,
        **left_out_at_default(
            "Policies that learn also read the model's hidden states at the end of the prompt, of "
            "the pass that computes the answer anyway; models in this process only."
        ),
    )
    thinking_tokens: int = Field(
        DEFAULT_THINKING_TOKENS,
        ge=0,
        **left_out_at_default(
            "Room for the reasoning of a model that does not leave it out, beside max_new_tokens; "
            "what it takes counts as completion tokens."
        ),
    )

    @model_validator(mode="after")
    def _states_at_hand(self) -> EngineFields:
        if self.hidden_states and self.engine in ("llamacpp", "vllm"):
            raise ValueError(
                f"hidden_states=true: engine={self.engine} runs a server, which tells of none; use "
                "engine=auto or plain, or leave hidden_states out"
            )
        return self

    def unread(self) -> Iterator[tuple[str, str]]:
        yield from super().unread()
        if self.engine != "vllm":
            yield "engine_path", "needs engine=vllm"


class BatchFields(Spec):
    section: ClassVar[HelpSection] = HelpSection.MODEL

    batch_tokens: int | None = Field(
        None,
        ge=128,
        **operational("Most tokens, with padding, in one batch; empty: what free memory allows."),
    )
    threads: int | None = Field(
        None,
        ge=1,
        **operational("CPU threads of PyTorch; empty: its choice, within a container's share."),
    )


class PrefixCacheFields(Spec):
    section: ClassVar[HelpSection] = HelpSection.MODEL

    prefix_cache_mb: int = Field(
        1024,
        ge=0,
        **operational("Most MiB for prompts' beginnings that later prompts reuse; 0: none."),
    )


class ServerFields(Spec):
    section: ClassVar[HelpSection] = HelpSection.SERVERS

    server_urls: Names = Field(
        (),
        **operational(
            "URLs for model=server:NAME, comma-separated; several servers share the load."
        ),
    )
    server_concurrency: int | None = Field(
        None,
        ge=1,
        le=1024,
        **operational(
            "Requests to servers under way at once; empty: llama.cpp's slots, 128 for each vLLM, "
            "else 16."
        ),
    )
    request_timeout_s: Positive = Field(
        300.0, **operational("Seconds to wait for a server's whole answer.")
    )
    max_answer_mb: int = Field(
        64, ge=1, **operational("MiB that an answer of a server may take, packed and unpacked.")
    )
    max_retries: int = Field(
        5, ge=0, **operational("Further tries of a request that failed for a passing reason.")
    )


OF_THIS_PROCESS = ("batch_tokens", "prefix_cache_mb")
"""Parameters that are read where this process computes with the model."""
OF_WEIGHTS = ("precision", "quantization", *OF_THIS_PROCESS)
"""And those that say how its weights are loaded."""


class InferenceFields(
    ServerFields, PrefixCacheFields, BatchFields, EngineFields, PrecisionFields, DeviceFields
):
    """How models run, whichever they are."""

    def unread(self) -> Iterator[tuple[str, str]]:
        yield from super().unread()
        if self.engine in ("llamacpp", "vllm"):
            own = () if self.engine == "vllm" else ("precision",)
            reason = not_read_with(f"engine={self.engine}")
            yield from ((name, reason) for name in (*OF_THIS_PROCESS, *own))


class ModelFields(InferenceFields, ModelNameFields):
    """A model and how it runs."""

    @model_validator(mode="after")
    def _servers_named(self) -> ModelFields:
        if self.opens_model and self.model.startswith(SERVER):
            check_names(self.model, self.server_urls)
            if self.engine != "auto":
                raise ValueError(
                    f"engine={self.engine}: model={self.model} runs on a server; leave one out"
                )
            if self.hidden_states:
                raise ValueError(
                    f"hidden_states=true: model={self.model} runs on a server, which tells of "
                    "none; use a model that runs in this process, or leave hidden_states out"
                )
        return self

    def unread(self) -> Iterator[tuple[str, str]]:
        yield from super().unread()
        if self.model.startswith(SERVER):
            reason = not_read_with(f"model={self.model}")
            yield from ((name, reason) for name in OF_WEIGHTS)
        else:
            yield "server_urls", f"needs model={SERVER}NAME"


# What functions read that open one thing; the fields come in any command's spec that has them.
class QuestionSpec(CacheFields, QuestionFields):
    """What opening the questions reads."""


class CorpusSpec(DeviceFields, CorpusFields, DatasetFields):
    """What opening the corpus reads."""

    @model_validator(mode="after")
    def _documents_named(self) -> CorpusSpec:
        if self.dataset == "jsonl" and not self.given_documents:
            raise ValueError("dataset=jsonl needs documents=FOLDER or a corpus JSONL")
        return self
