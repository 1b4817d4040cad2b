"""ORAN-Bench-13K: three files of multiple-choice questions about O-RAN, one per difficulty."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from argo_ml.config import CacheFields, QuestionSpec
from argo_ml.datasets import oran_files
from argo_ml.datasets.base import Dataset, LoadedQuestions, OwnDocuments, RejectedLine
from argo_ml.datasets.lines import LineError, parse_lines, required_text
from argo_ml.datasets.repeats import whole_content
from argo_ml.errors import DataError
from argo_ml.types import Difficulty, Question

FILES = {
    "fin_E.json": Difficulty.EASY,
    "fin_M.json": Difficulty.MEDIUM,
    "fin_H.json": Difficulty.HARD,
}
N_OPTIONS = 4


@dataclass(frozen=True, slots=True)
class OranBench:
    """The benchmark as its authors publish it (GitHub prnshv/ORAN-Bench-13K, ``Benchmark/``).

    Each line is ``[question, [option, ...], answer]``: options start with their number ("1. "),
    the answer is a number as text. A question's id names its file and line.
    """

    folder: Path

    def load(self) -> LoadedQuestions:
        self._check_files()
        questions: dict[tuple[object, ...], Question] = {}
        texts: dict[str, str] = {}
        rejected: list[RejectedLine] = []
        n_usable = 0
        for name, difficulty in FILES.items():
            parsed = parse_lines(
                self.folder / name, partial(_question, file=name, difficulty=difficulty)
            )
            rejected.extend(parsed.rejected)
            n_usable += len(parsed.values)
            for question in parsed.values:
                questions.setdefault(whole_content(question), question)
                texts.setdefault(question.text, question.id)
        if not questions:
            raise DataError(
                f"questions={self.folder}: no usable line in {', '.join(FILES)}"
                + (f"; {rejected[0]}" if rejected else "")
            )
        kept = tuple(questions.values())
        # Earlier versions compared texts alone.
        once_dropped = frozenset(own.id for own in kept if texts[own.text] != own.id)
        return LoadedQuestions(
            kept, str(self.folder), tuple(rejected), n_usable - len(kept), once_dropped
        )

    def _check_files(self) -> None:
        missing = [name for name in FILES if not (self.folder / name).is_file()]
        if missing:
            raise DataError(
                f"questions={self.folder}: no {', '.join(missing)} there; run argo-ml fetch "
                "--what oran, or give the benchmark's folder with questions=FOLDER"
            )


def fetched_documents(spec: CacheFields) -> OwnDocuments:
    """The O-RAN documents of `argo-ml fetch`. Raises `DataError` before they were fetched."""
    folder = spec.cache_path / "data" / oran_files.ORAN_DOCS
    if not folder.is_dir():
        raise DataError(
            f"{folder}: the O-RAN documents are not there; run argo-ml fetch --what oran, or "
            "give documents=FOLDER"
        )
    return OwnDocuments(str(folder))


def open_questions(spec: QuestionSpec) -> OranBench:
    """The benchmark in the folder that the spec names, else where `argo-ml fetch` puts it."""
    fetched = spec.cache_path / "data" / oran_files.ORAN_BENCH
    return OranBench(Path(spec.questions).expanduser() if spec.questions else fetched)


ORAN_BENCH = Dataset(open_questions, fetched_documents)


def _question(value: object, number: int, file: str, difficulty: Difficulty) -> Question:
    if not isinstance(value, list) or len(value) != 3:
        raise LineError("not [question, options, answer]")
    text, options, answer = value
    text = required_text(text, "the question")
    if not isinstance(options, list) or len(options) != N_OPTIONS:
        n_options = len(options) if isinstance(options, list) else "no"
        raise LineError(f"has {n_options} options, not {N_OPTIONS}")
    choices = tuple(_choice(option, position) for position, option in enumerate(options, 1))
    if answer not in [str(position) for position in range(1, N_OPTIONS + 1)]:
        raise LineError(f"answer {answer!r} is not one of its {N_OPTIONS} options")
    gold = int(answer) - 1
    return Question(
        id=f"{file.removesuffix('.json')}-{number}",
        text=text,
        answers=(choices[gold],),
        choices=choices,
        gold=(gold,),
        difficulty=difficulty,
    )


def _choice(option: object, position: int) -> str:
    """The option without its number, which is its position and nothing else."""
    text = required_text(option, f"option {position}")
    return required_text(text.removeprefix(f"{position}."), f"option {position}")
