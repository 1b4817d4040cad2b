"""Groups of fields that belong together; a command takes the groups that it reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from argo_ml.config.addresses import check_names
from argo_ml.config.base import Names, Positive, Probability, Spec, operational, split_commas
from argo_ml.mdp.process import MDPSpec

EMBEDDED_MODEL = "smollm2-135m"
EMBEDDED_EMBEDDER = "all-minilm-l6-v2"

ModeName = Literal["small", "medium", "full"]
MODES: Mapping[str, tuple[int, int]] = {"small": (10, 5), "medium": (100, 10), "full": (1000, 10)}
"""Mode -> (questions, prices), the original study's sizes."""


class CacheFields(Spec):
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


class QuestionFields(Spec):
    dataset: Literal["atlas", "oran_bench", "jsonl"] = Field(
        "atlas", description="Source of questions: atlas (embedded), oran_bench, jsonl (FlashRAG)."
    )
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
    seed: int = Field(42, description="Seed of sampling, shuffling and every random draw.")


class CorpusFields(CacheFields):
    documents: str = Field(
        "",
        **operational("Folder of documents or FlashRAG corpus JSONL; empty for atlas's own."),
    )
    chunk_size: int = Field(160, ge=16, le=4096, description="Passage size, embedder tokens.")
    chunk_overlap: int = Field(20, ge=0, description="Overlap of neighbouring passages, tokens.")
    embedding_model: str = Field(
        EMBEDDED_EMBEDDER, description="Sentence Transformers model: embedded, folder or hub id."
    )
    chroma_url: str = Field("", **operational("URL of a Chroma server; empty for embedded."))

    @model_validator(mode="after")
    def _overlap_below_size(self) -> CorpusFields:
        if self.chunk_overlap >= self.chunk_size:
            raise ValueError(
                f"chunk_overlap={self.chunk_overlap} must be below chunk_size={self.chunk_size}"
            )
        return self


class ModelFields(Spec):
    model: str = Field(
        EMBEDDED_MODEL,
        description="Preset, folder, GGUF file, hub id, server:NAME, or scripted:FILE.",
    )
    device: str = Field("auto", **operational("auto, cpu, or cuda."))
    gpus: Annotated[tuple[int, ...], BeforeValidator(split_commas)] = Field(
        (),
        **operational("GPU ids to use, comma-separated; auto or empty: the fewest that do; none."),
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="auto: float32 on CPU, bfloat16 on GPUs that have it, else float16."
    )
    quantization: Literal["none", "8bit", "4bit"] = Field(
        "none", description="Weights of linear layers by bitsandbytes, on GPUs: none, 8bit or 4bit."
    )
    batch_tokens: int | None = Field(
        None,
        ge=128,
        **operational("Most tokens, with padding, in one batch; empty: what free memory allows."),
    )
    threads: int | None = Field(
        None, ge=1, **operational("CPU threads of PyTorch; empty: PyTorch's own choice.")
    )
    prefix_cache_mb: int = Field(
        1024,
        ge=0,
        **operational("MiB for prompts' beginnings that later prompts reuse; 0: none."),
    )
    server_urls: Names = Field(
        (),
        **operational(
            "URLs for model=server:NAME, comma-separated; several servers share the load."
        ),
    )
    server_concurrency: int = Field(
        16, ge=1, le=64, **operational("Requests to servers under way at once.")
    )
    request_timeout_s: Positive = Field(
        300.0, **operational("Seconds to wait for a server's answer.")
    )
    max_retries: int = Field(
        5, ge=0, **operational("Further tries of a request that failed for a passing reason.")
    )

    @model_validator(mode="after")
    def _servers_named(self) -> ModelFields:
        if self.model.startswith("server:"):
            check_names(self.model, self.server_urls)
        return self

    @model_validator(mode="before")
    @classmethod
    def _gpus_in_words(cls, values: object) -> object:
        """auto is as if not given, and none is the CPU."""
        if not isinstance(values, dict) or values.get("gpus") not in ("auto", "none"):
            return values
        others = {name: value for name, value in values.items() if name != "gpus"}
        if values["gpus"] == "auto":
            return others
        if values.get("device", "auto") == "cuda":
            raise ValueError("gpus=none: device=cuda needs one; leave one out")
        return {**others, "device": "cpu"}


class EpisodeFields(Spec):
    top_k: int = Field(3, ge=1, description="Passages per retrieval.")
    min_similarity: float = Field(
        0.3, ge=-1, le=1, description="A retrieval succeeds if its best similarity reaches this."
    )
    channel_success_rate: Probability = Field(
        1.0, description="Share of successful retrievals kept (the original's channel loss)."
    )
    max_steps: int = Field(20, ge=1, description="Step limit (decomposition depth).")
    max_new_tokens: int | None = Field(
        None, ge=1, description="Tokens per generation; empty: 24 for the embedded model, else 50."
    )
    evidence_tokens: int = Field(
        384, ge=0, description="Token budget of the evidence in the synthesizer's prompt."
    )
    answering: Literal["likelihood", "number"] = Field(
        "likelihood", description="How choices are answered: scored by likelihood, or by number."
    )


class MDPFields(Spec):
    delta_r: Positive = Field(0.25, description="Progress of a successful retrieval.")
    delta_p: Positive = Field(0.08, description="Progress of a reasoning step.")
    p_s: Probability = Field(0.8, description="Success probability of a retrieval in the MDP.")
    reason_cost: Positive = Field(0.02, description="Price c_p of a reasoning step.")
    mu: float = Field(1.0, ge=0, allow_inf_nan=False, description="Weight of cost in utility.")
    policy_mu: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="Weight of cost that policies decide by; empty: mu.",
    )
    gamma: Probability = Field(0.98, description="Discount per step.")
    u_max: Positive = Field(1.0, description="Largest progress.")
    quality: Literal["linear", "sqrt", "saturating", "sigmoid"] = Field(
        "linear", description="Quality sigma(U / u_max) of stopping."
    )
    alpha: Positive = Field(3.0, description="Steepness of the saturating and sigmoid qualities.")
    theta_cont: float | None = Field(
        None, ge=0, description="fixed_threshold: retrieve below this progress."
    )
    theta_star: float | None = Field(
        None, ge=0, description="fixed_threshold: stop at this progress."
    )

    @model_validator(mode="after")
    def _thresholds_ordered(self) -> MDPFields:
        low, high = self.theta_cont, self.theta_star
        if low is not None and high is not None and low > high:
            raise ValueError(f"theta_cont={low} must not exceed theta_star={high}")
        if high is not None and high > self.u_max:
            raise ValueError(f"theta_star={high} must not exceed u_max={self.u_max}")
        return self

    @model_validator(mode="after")
    def _process_solvable(self) -> MDPFields:
        self.mdp(self.reason_cost)
        return self

    def mdp(self, retrieval_cost: float) -> MDPSpec:
        return MDPSpec(
            retrieval_cost=retrieval_cost,
            reason_cost=self.reason_cost,
            delta_r=self.delta_r,
            delta_p=self.delta_p,
            p_s=self.p_s,
            mu=self.mu if self.policy_mu is None else self.policy_mu,
            gamma=self.gamma,
            u_max=self.u_max,
            quality=self.quality,
            alpha=self.alpha,
        )


class AdaptiveFields(Spec):
    """What strategies need that look at the question."""

    calibration: str = Field(
        "",
        **operational(
            "Run id of argo-ml calibrate, or its calibration.json; for strategies that need it."
        ),
    )
    progress: Literal["fixed", "measured"] = Field(
        "fixed",
        description="fixed: gains per step (the original's); measured: u_max x probability that "
        "the answer now is right.",
    )
    gains: Literal["given", "measured"] = Field(
        "given", description="delta_r, delta_p and p_s: as given, or as the calibration measured."
    )
    probe_cost: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="Price of a model call that only serves a decision.",
    )
    gate_budget: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Share of questions that gates may retrieve for; empty: what pays at the "
        "price.",
    )
    abstain_below: float | None = Field(
        None, ge=0, le=1, description="graded: abstain below this probability; empty: never."
    )
    oracle_steps: int = Field(
        2, ge=0, le=6, description="oracle: tries every sequence of so many actions."
    )

    @property
    def wants_calibration(self) -> bool:
        """Whether its fields alone need one, whatever the strategy."""
        return "measured" in (self.progress, self.gains)


class TrackingFields(Spec):
    experiment: str = Field("argo_ml", **operational("MLflow experiment."))
    tracking_uri: str = Field(
        "", **operational("MLflow tracking URI; empty for MLflow's own default.")
    )
    shard_size: int = Field(
        10, ge=1, **operational("Questions per shard: what runs together and is logged together.")
    )


class ExecutorFields(Spec):
    """Who runs the shards of a sweep."""

    executor: Literal["local", "ray"] | None = Field(
        None, **operational("local or empty: this process; ray: workers with a model each.")
    )
    workers: int | None = Field(
        None,
        ge=1,
        **operational("ray: workers; empty: as many as there are GPUs for, else one per machine."),
    )
    gpus_per_worker: int | None = Field(
        None, ge=0, **operational("ray: GPUs of each worker; empty: 1 where there are GPUs.")
    )
    ray_address: str = Field(
        "", **operational("ray: auto or HOST:PORT of a cluster; empty: start Ray here.")
    )

    @model_validator(mode="after")
    def _ray_wanted(self) -> ExecutorFields:
        for name in ("workers", "gpus_per_worker", "ray_address"):
            value = getattr(self, name)
            if self.executor != "ray" and value not in (None, ""):
                raise ValueError(f"{name}={value} needs executor=ray")
        return self

    @model_validator(mode="after")
    def _address_readable(self) -> ExecutorFields:
        host, _, port = self.ray_address.rpartition(":")
        if self.ray_address not in ("", "auto") and not (host and port.isdecimal()):
            raise ValueError(f"ray_address={self.ray_address} must be auto or HOST:PORT")
        return self
