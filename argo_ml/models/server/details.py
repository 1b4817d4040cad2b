"""What servers report of the tokens that they generate."""

from __future__ import annotations

import codecs
import math
from collections.abc import Iterable, Sequence

from argo_ml.models.server.wire import Alternative, RefusedError, ReportedToken, ReportedTokens
from argo_ml.models.token_details import within
from argo_ml.types import TokenDetail


def details_of(reported: ReportedTokens | None, text: str) -> tuple[TokenDetail, ...]:
    """Details of the tokens of ``text``, an answer as the server has cut it.

    Raises `RefusedError` where an answer with text comes without log-probabilities, or without
    those of at least two tokens at each place.
    """
    tokens = _listed(reported) if reported is not None else []
    if not tokens:
        if text.strip():
            raise RefusedError("an answer came without log-probabilities of its tokens")
        return ()
    details = [_detail(piece, token) for piece, token in zip(_pieces(tokens), tokens, strict=True)]
    # Servers leave the end of the turn and stop strings out of the text, not out of the tokens.
    begin = max(0, "".join(detail.text for detail in details).find(text))
    return within(details, begin, begin + len(text))


def lower_entropy(log_probabilities: Iterable[float]) -> float:
    """Entropy (nats) of a distribution of which the most probable outcomes are known.

    What they leave of the probability counts as one further outcome. This is a lower bound, since
    telling outcomes apart never lowers an entropy.
    """
    known = [math.exp(value) for value in log_probabilities]
    rest = max(0.0, 1.0 - sum(known))
    return max(0.0, -sum(share * math.log(share) for share in (*known, rest) if share > 0))


def _detail(text: str, token: ReportedToken) -> TokenDetail:
    """Details of one token; its ``top_logprobs`` may or may not have the token itself."""
    listed = token.top_logprobs or []
    top = sorted((alternative.logprob for alternative in listed), reverse=True)
    if len(top) < 2:
        raise RefusedError("an answer came without log-probabilities of other tokens than its own")
    is_known = any(alternative.token == token.token for alternative in listed)
    known = top if is_known else [*top, token.logprob]
    return TokenDetail(text, token.logprob, lower_entropy(known), top[0] - top[1])


def _listed(reported: ReportedTokens) -> Sequence[ReportedToken]:
    """The reported tokens, whichever way the server has listed them."""
    if reported.content is not None:
        return reported.content
    tokens, values = reported.tokens or [], reported.token_logprobs or []
    tops = reported.top_logprobs or [None] * len(tokens)
    if not len(values) == len(tops) == len(tokens):
        raise RefusedError(
            f"log-probabilities of {len(values)} and {len(tops)} tokens came for {len(tokens)}"
        )
    return [
        ReportedToken(token=token, logprob=value, top_logprobs=_alternatives(top or {}))
        for token, value, top in zip(tokens, values, tops, strict=True)
    ]


def _alternatives(top: dict[str, float]) -> list[Alternative]:
    return [Alternative(token=token, logprob=value) for token, value in top.items()]


def _pieces(tokens: Sequence[ReportedToken]) -> list[str]:
    """Text that each token adds; of several tokens of one character the last one has it."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return [
        token.token if token.bytes is None else decoder.decode(bytes(token.bytes))
        for token in tokens
    ]
