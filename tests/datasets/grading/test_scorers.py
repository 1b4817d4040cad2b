from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from argo_ml.datasets.grading import scorer_named
from argo_ml.errors import ConfigError
from argo_ml.plugins import installed


def begins_alike(answer: str, golds: Sequence[str]) -> bool:
    return any(answer[:1] == gold[:1] for gold in golds)


def fails(answer: str, golds: Sequence[str]) -> bool:
    raise KeyError("judge")


@pytest.mark.parametrize(
    ("scorer", "answer", "expected"),
    [
        ("exact", "The George Orwell!", True),
        ("exact", "It was George Orwell", False),
        ("contains", "It was George Orwell", True),
        ("contains", "Orwell", False),
        ("f1", "Orwell", True),
        ("f1:0.5", "Orwell", True),
        ("f1:0.7", "Orwell", False),
        ("f1:0.0", "Somebody", False),
    ],
)
def test_scorer_of_texts(scorer: str, answer: str, expected: bool) -> None:
    assert scorer_named(scorer)(answer, ["Eric Blair", "George Orwell"]) is expected


def test_contains_takes_yes_and_no_as_words() -> None:
    assert scorer_named("contains")("Yes, there is no danger.", ["no"])


@pytest.mark.parametrize(
    ("scorer", "answer", "expected"),
    [
        ("numeric", "It is 1,200 km.", True),
        ("numeric", "It is 1,201 km.", False),
        ("numeric:0.01", "It is 1,201 km.", True),
        ("numeric:0.01", "1188", True),
        ("numeric:0.01", "1187", False),
        ("numeric:0.01", "600 and 600, so 1.2 thousand", True),
        ("numeric:0.01", "The answer is 1200, not 900.", True),
        ("numeric:0.01", "-1200", False),
        ("numeric:0.01", "I do not know", False),
    ],
)
def test_numeric_compares_the_number_that_is_given(
    scorer: str, answer: str, expected: bool
) -> None:
    assert scorer_named(scorer)(answer, ["1,200"]) is expected


def test_numeric_judges_gold_without_a_number_as_auto_does() -> None:
    assert scorer_named("numeric:0.01")("It is Paris.", ["Paris"])


def test_function_of_ones_own() -> None:
    assert scorer_named(f"{__name__}:begins_alike")("Pisa", ["Paris"])


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose packages count as installed."""
    monkeypatch.syspath_prepend(str(tmp_path))
    installed.cache_clear()
    yield tmp_path
    installed.cache_clear()


def test_entry_point_of_an_installed_package(plugins: Path) -> None:
    info = plugins / "judging-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: judging\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[argo_ml.scorers]\nfirst_letter = judging:judge\n")
    (plugins / "judging.py").write_text("def judge(answer, golds): return answer == golds[0][0]\n")

    assert scorer_named("first_letter")("P", ["Paris"])
    assert not scorer_named("first_letter")("Paris", ["Paris"])


def test_function_that_fails_is_named_with_its_answer() -> None:
    name = f"{__name__}:fails"
    with pytest.raises(ConfigError, match=r"failed on the answer 'Pisa' \(KeyError: 'judge'\)"):
        scorer_named(name)("Pisa", ["Paris"])


@pytest.mark.parametrize(
    ("scorer", "reason"),
    [
        ("bleu", "scorer=bleu: is no scorer; give auto, exact"),
        ("f1:x", "'x' is no number"),
        ("f1:2", "2 must be at least 0 and at most 1"),
        ("numeric:-1", "-1 must be at least 0"),
        ("no_such_module:judge", "No module named 'no_such_module'; give a function"),
        ("math:judge", "no attribute 'judge'; give a function"),
        ("math:pi", "is no function"),
    ],
)
def test_scorer_that_does_not_exist(scorer: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        scorer_named(scorer)
