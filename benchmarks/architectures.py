"""What becomes of every causal architecture of Transformers: a random model of each is tried.

Prints how a model of each is computed once the check at load has seen it, as if none were proven,
and what of that differs from passes without a cache: in a batch, alone, with known beginnings, and
with beginnings that the prompts of a batch share. Where something does, the check has missed it,
and the command ends with status 1. With ``--kept FILE`` it goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO
from unittest import mock

import torch
from transformers import AutoModelForCausalLM
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
from transformers.utils import logging

from argo_ml.errors import ModelError, one_line
from argo_ml.models.chat import PromptIds
from argo_ml.models.local import decoding, engine_check
from argo_ml.models.local.decoding import Decoder
from argo_ml.models.local.engine_check import TokenDecoder, choose_decoder
from argo_ml.models.local.prefix_cache import PrefixCache
from tests.builders.tiny_architectures import N_IDS, tiny_config

MOST_PARAMETERS = 3_000_000
PREFIX_BYTES = 2**22
TOLERANCE = 2e-3
"""Nats: largest difference of a log-likelihood, and of the best token's from the chosen one's."""
LENGTHS = (21, 5, 34, 12)
LIMITS = (5, 2, 4, 7)
CHOICES = ((7,), (8, 9, 10), (11, 12))


FAST, ANEW, PLAIN, REFUSED, NOT_BUILT = (
    "fast",
    "fast, beginnings computed anew",
    "plain",
    "refused",
    "not built tiny",
)


@dataclass(frozen=True)
class Found:
    """How one architecture is computed, why not otherwise, and where that is wrong."""

    architecture: str
    verdict: str
    why: str = ""
    wrong: str = ""


def main(arguments: Sequence[str] | None = None, out: TextIO = sys.stdout) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("architectures", nargs="*", help="model types; all of Transformers' unless")
    parser.add_argument("--kept", type=Path, help="a file of what was found, which is not tried")
    parser.add_argument("--at-most", type=int, default=len(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES))
    given = parser.parse_args(arguments)
    library_log: Any = logging
    library_log.set_verbosity_error()
    warnings.filterwarnings("ignore")
    names = given.architectures or sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
    found = read_kept(given.kept)
    for name in [name for name in names if name not in found][: given.at_most]:
        found[name] = examined(name)
        if given.kept:
            with given.kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(found[name])) + "\n")
    listed = [found[name] for name in names if name in found]
    out.writelines(f"{line}\n" for line in table(listed))
    return int(any(each.wrong for each in listed))


def read_kept(file: Path | None) -> dict[str, Found]:
    if file is None or not file.exists():
        return {}
    kept = [Found(**json.loads(line)) for line in file.read_text("utf-8").splitlines()]
    return {each.architecture: each for each in kept}


def table(found: Sequence[Found]) -> Iterator[str]:
    """The architectures of each verdict, then why those are not fast that are not."""
    yield "| verdict | | `model_type` |"
    yield "|---|---|---|"
    for verdict in (FAST, ANEW, PLAIN, REFUSED, NOT_BUILT):
        names = [each.architecture for each in found if each.verdict == verdict]
        yield f"| {verdict} | {len(names)} | {', '.join(names)} |"
    for each in found:
        if each.why or each.wrong:
            wrong = f"; WRONG: {each.wrong}" if each.wrong else ""
            yield f"{each.architecture}: {each.verdict}: {each.why}{wrong}"


def examined(architecture: str) -> Found:
    try:
        model = built(architecture)
    except Exception as error:
        return Found(architecture, NOT_BUILT, f"{type(error).__name__}: {one_line(error)[:160]}")
    events: list[str] = []
    try:
        with mock.patch.object(engine_check, "PROVEN", frozenset()):
            decoder = choose_decoder(model, PrefixCache(PREFIX_BYTES), "auto", events.append)
    except ModelError as error:
        return Found(architecture, REFUSED, str(error))
    verdict = ANEW if events else FAST
    if not isinstance(decoder, Decoder):
        verdict = PLAIN
    return Found(architecture, verdict, "".join(events), next(wrongs(model, decoder), ""))


def built(architecture: str) -> Any:
    config = tiny_config(architecture)
    models: Any = AutoModelForCausalLM
    with torch.device("meta"):
        n_parameters = sum(
            values.numel()
            for values in models.from_config(config, dtype=torch.float32).parameters()
        )
    if n_parameters > MOST_PARAMETERS:
        raise ValueError(f"{n_parameters:,} parameters")
    torch.manual_seed(0)
    return models.from_config(config, dtype=torch.float32).eval()


def wrongs(model: Any, decoder: TokenDecoder) -> Iterator[str]:
    """What ``decoder`` computes otherwise than passes without a cache."""
    numbers = torch.Generator().manual_seed(1)
    rows = [torch.randint(3, N_IDS, (n,), generator=numbers).tolist() for n in LENGTHS]
    for times in ("first", "second"):
        yield from differences(model, decoder, rows, f"{times} time: ")
    yield from (wrong for row in rows for wrong in differences(model, decoder, [row], "alone: "))
    begin = rows[2]
    shared = [[*begin, 5, 6], [*begin[:20], 7], [*begin, 8], rows[1], begin]
    with (
        mock.patch.object(decoding, "PASS_TOKENS", 0),
        mock.patch.object(decoding, "WAVE_TOKENS", 0),
    ):
        yield from differences(model, decoder, [[9, *row] for row in shared], "shared: ")
    yield from differences(model, decoder, [[8, *row] for row in shared], "shared, one pass: ")


def differences(
    model: Any, decoder: TokenDecoder, rows: Sequence[list[int]], when: str
) -> Iterator[str]:
    try:
        prompts = [PromptIds(row, 16) for row in rows]
        limits = [*LIMITS, 4][: len(rows)]
        new = decoder.generate(prompts, limits, lambda *_: False)
        for row, ids in zip(rows, new, strict=True):
            after = log_p(model, [*row, *ids])[len(row) - 1 : -1]
            chosen = after.gather(1, torch.tensor(ids)[:, None])[:, 0]
            behind = float((after.max(dim=-1).values - chosen).max())
            if not behind <= TOLERANCE:
                yield f"{when}a token {behind:.2g} nats behind the most probable one"
        totals = decoder.choice_log_likelihoods(prompts, [CHOICES] * len(rows))
        for row, scores in zip(rows, totals, strict=True):
            for choice, total in zip(CHOICES, scores, strict=True):
                after = log_p(model, [*row, *choice])[len(row) - 1 : -1]
                own = sum(float(after[at, token]) for at, token in enumerate(choice))
                if not abs(total - own) <= TOLERANCE:
                    yield f"{when}a score off by {abs(total - own):.2g} nats"
    except Exception as error:
        yield f"{when}{type(error).__name__}: {one_line(error)[:160]}"


def log_p(model: Any, ids: Sequence[int]) -> torch.Tensor:
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([list(ids)]), use_cache=False).logits[0]
    return torch.log_softmax(logits.float(), dim=-1)


if __name__ == "__main__":
    sys.exit(main())
