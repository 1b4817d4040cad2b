"""A scripted model that knows some facts, reads some, and looks surer where it knows."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

from builders import small_study

WRONG = {"capital": "Ostrel", "currency": "florin"}
"""A choice of every question, and an answer that is wrong to nearly all."""
N_CHOICES = 4


def script(n_more_countries: int, by_number: bool = False) -> dict[str, Any]:
    """For the questions of `small_study`; ``by_number``: choices are answered by number.

    A wrong number is none of the choices, so that the answer cannot be read. More than 30 countries
    make more expressions than `re` remembers, which takes its time.
    """
    draws = random.Random(5)
    rules: list[dict[str, Any]] = []
    for name, facts in small_study.more_facts(n_more_countries).items():
        for kind, gold in zip(("capital", "currency"), facts, strict=True):
            asked = rf"What is the {kind} of {re.escape(name)}\?"
            found = gold if draws.random() < 0.8 else WRONG[kind]
            known = gold if draws.random() < 0.5 else WRONG[kind]
            sure = draws.uniform(0.55, 0.95) if known == gold else draws.uniform(0.3, 0.75)
            other = draws.choice([known, "another", "a third"])
            read = {"certainty": 0.9, "token_probability": 0.9}
            said = {"certainty": sure, "token_probability": sure, "samples": [known, known, other]}
            begin = rf"(?s)Passages:.*{re.escape(gold)}.*{asked}"
            rules += _rules(begin, found, by_number, read)
            rules += _rules(f"(?s){asked}", known, by_number, said)
    return {"rules": rules, "default": "hash"}


def _rules(
    begin: str, answer: str, by_number: bool, fields: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    if by_number and answer not in WRONG.values():
        for number in range(1, N_CHOICES + 1):
            listed = rf"{begin}.*\n{number}\. {re.escape(answer)}\b"
            yield {"regex": listed, "completion": f"{number} it is", "choice": answer, **fields}
        return
    said = f"{N_CHOICES + 1} it is" if by_number else f"{answer} it is"
    yield {"regex": begin, "completion": said, "choice": answer, **fields}
