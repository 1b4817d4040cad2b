"""Lines of the commands verify and index."""

from __future__ import annotations

from rich.text import Text

from argo_ml.cli.rendering.console import console
from argo_ml.corpus.base import Corpus
from argo_ml.verification.verify import Verdict

_STYLES = {"ok": "green", "failed": "bold red"}
_N_REJECTED_SHOWN = 20


def print_verdict(verdict: Verdict) -> None:
    """``finding``: what the sweep says, true or not or open; only a check can fail."""
    if verdict.claim is not None:
        _print_line("finding", f"{verdict.name}: {verdict.claim.value}", verdict.detail)
    else:
        _print_line("ok" if verdict.ok else "failed", verdict.name, verdict.detail)


def print_corpus(corpus: Corpus) -> None:
    """What was indexed, and every file that could not be read."""
    out = console()
    what = "built" if corpus.was_built else "found"
    out.print(f"index {what}: {corpus.n_passages} passages of {corpus.source}", soft_wrap=True)
    out.print(f"collection {corpus.collection}, digest {corpus.digest}", soft_wrap=True)
    for rejected in corpus.rejected[:_N_REJECTED_SHOWN]:
        out.print(f"not read: {rejected.name}: {rejected.reason}", soft_wrap=True)
    n_more = len(corpus.rejected) - _N_REJECTED_SHOWN
    if n_more > 0:
        out.print(f"and {n_more} more files that could not be read")
    if corpus.ignored:
        out.print(corpus.ignored, soft_wrap=True)


def _print_line(label: str, name: str, detail: str) -> None:
    status = Text(f"{label:8} ", style=_STYLES.get(label, "cyan"))
    console().print(Text.assemble(status, f"{name}: {detail}"), soft_wrap=True)
