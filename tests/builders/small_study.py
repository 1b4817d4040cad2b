"""Four documents, eight questions about them and a scripted model: a study of seconds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

FACTS = {
    "Ardenia": ("Veltor", "crown"),
    "Borland": ("Mirna", "dram"),
    "Cassia": ("Ostrel", "florin"),
    "Dravia": ("Penhold", "thaler"),
}


def more_facts(n_countries: int) -> dict[str, tuple[str, str]]:
    """Made-up ones beside `FACTS`."""
    made = {f"Land{number}": (f"Port{number}", f"coin{number}") for number in range(n_countries)}
    return {**FACTS, **made}


def write(folder: Path, n_more_countries: int = 0, with_choices: bool = True) -> dict[str, str]:
    """Write the sources into ``folder``; returns the parameters of a sweep over them.

    It keeps no traces, which make half as many commits again as the rest of it.
    """
    documents = folder / "documents"
    documents.mkdir()
    lines = []
    for name, (capital, currency) in more_facts(n_more_countries).items():
        text = f"{name} is a country. Its capital is {capital}. Its currency is the {currency}."
        (documents / f"{name}.txt").write_text(text)
        for kind, gold in (("capital", capital), ("currency", currency)):
            choices = [row[kind == "currency"] for row in FACTS.values()]
            if gold not in choices:
                choices[0] = gold
            question = {
                "id": f"{name}-{kind}",
                "question": f"What is the {kind} of {name}?",
                "choices": choices,
                "golden_answers": [choices.index(gold)],
            }
            if not with_choices:
                del question["choices"]
                question["golden_answers"] = [gold]
            lines.append(json.dumps(question))
    (folder / "questions.jsonl").write_text("\n".join(lines))
    (folder / "script.json").write_text(json.dumps({"default": "hash"}))
    return {
        "dataset": "jsonl",
        "split": "all",
        "questions": str(folder / "questions.jsonl"),
        "documents": str(documents),
        "model": f"scripted:{folder / 'script.json'}",
        "n_questions": "8",
        "n_prices": "2",
        "strategies": "argo,random",
        "shard_size": "3",
        "max_steps": "3",
        "max_new_tokens": "4",
        "traces": "0",
    }


def lengthen(sources: Mapping[str, str], *ids: str) -> None:
    """Make questions longer than the context that the model has from now on."""
    path = Path(sources["questions"])
    questions = [json.loads(line) for line in path.read_text().splitlines()]
    for question in questions:
        if question["id"] in ids:
            question["question"] += " Answer it." * 200
    path.write_text("\n".join(map(json.dumps, questions)))
    script = Path(sources["model"].removeprefix("scripted:"))
    script.write_text(json.dumps({"default": "hash", "context": 400}))
