"""What the same results came to before: a sweep's evaluation and figures, kept by their digest.

A sweep whose every call is known mostly comes to what it came to before, and evaluating and drawing
are then most of its work. A file is one archive, whose checksums tell damage; one that is damaged
counts as missing.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import platform
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import argo_ml
from argo_ml.calibration.record import Calibration
from argo_ml.config import SweepSpec
from argo_ml.config.base import is_operational
from argo_ml.errors import system_reason
from argo_ml.evaluation.record import Evaluation
from argo_ml.models.digests import write_atomically
from argo_ml.models.sealed_json import code_digest, content_key, installed_version
from argo_ml.policies import STRATEGIES
from argo_ml.reporting.drawing import draw_sweep
from argo_ml.results.artifacts import EVALUATION
from argo_ml.results.records import Results, RowsOnDisk
from argo_ml.sweep.cells import Cell
from argo_ml.sweep.evaluating import calibration_scores, evaluate_sweep

logger = logging.getLogger(__name__)

MOST_KEPT = 20
"""Of a megabyte or less; those used last stay."""
_COMPUTED_WITH = ("matplotlib", "numpy", "pillow", "scikit-learn", "scipy")
_PAID = "lm_calls_paid"
_PLACES = {
    name
    for name, field in SweepSpec.model_fields.items()
    if is_operational(field) and name != "questions"
}


def concluded(
    spec: SweepSpec,
    results: Results,
    cells: Sequence[Cell],
    calibration: Calibration | None,
    folder: Path,
) -> Evaluation:
    """The evaluation of a sweep; all figures of it and of the sweep are drawn into ``folder``."""
    path = _kept_path(spec, results, cells)
    known = _read(path, folder) if path else None
    if known is not None:
        made_by = spec.calibration if calibration else ""
        return known.model_copy(update={"sweep_id": results.sweep_id, "calibration_run": made_by})
    evaluation = evaluate_sweep(spec, results, cells, calibration)
    draw_sweep(evaluation, results, folder)
    if path:
        _keep(path, evaluation, folder)
    return evaluation


def _kept_path(spec: SweepSpec, results: Results, cells: Sequence[Cell]) -> Path | None:
    """None where strategies are somebody's own, whose code is not known, or rows too many."""
    is_own = any(strategy not in STRATEGIES for strategy in results.strategies)
    if is_own or any(isinstance(cell.questions, RowsOnDisk) for cell in results.cells):
        return None
    decided_by = [
        _content(results),
        {gate: list(scores) for gate, scores in calibration_scores(cells).items()},
        code_digest(list(map(Path, argo_ml.__path__))),
        [platform.python_version(), *map(installed_version, _COMPUTED_WITH)],
        [text for path in _own_styles() if (text := _text(path))],
    ]
    return spec.cache_path / "conclusions" / f"{content_key(decided_by)}.zip"


def _content(results: Results) -> dict[str, Any]:
    """All but ids of runs, places and who paid for calls, on which no conclusion depends.

    Of a calibration there is the digest.
    """
    content = results.model_dump(mode="json", exclude={"sweep_id"})
    content["spec"] = {
        name: value for name, value in content["spec"].items() if name not in _PLACES
    }
    for cell in content["cells"]:
        del cell["run_id"]
        cell["metrics"] = {k: v for k, v in cell["metrics"].items() if not k.startswith(_PAID)}
        for row in cell["questions"]:
            del row[_PAID]
    return content


def _own_styles() -> Iterator[Path]:
    """Where Matplotlib looks for settings of the user's own, which figures follow."""
    given = os.environ.get("MATPLOTLIBRC", "")
    # Not `Path.home`, which fails for a user without one.
    home = Path(os.path.expanduser("~"))
    configured = os.environ.get("XDG_CONFIG_HOME", home / ".config")
    folders = (
        Path.cwd(),
        Path(given),
        Path(os.environ.get("MPLCONFIGDIR", Path(configured) / "matplotlib")),
        home / ".matplotlib",
    )
    yield Path(given)
    yield from (folder / "matplotlibrc" for folder in folders)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _read(path: Path, folder: Path) -> Evaluation | None:
    """The evaluation kept at ``path``, its figures written into ``folder``; None without any."""
    try:
        with zipfile.ZipFile(path) as archive:
            contents = {name: archive.read(name) for name in archive.namelist()}
        evaluation = Evaluation.model_validate_json(contents.pop(EVALUATION))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error):
        return None
    for name, content in contents.items():
        (folder / Path(name).name).write_bytes(content)
    with contextlib.suppress(OSError):
        os.utime(path)
    return evaluation


def _keep(path: Path, evaluation: Evaluation, folder: Path) -> None:
    """Keep what can be read again as it is; a disk that refuses is logged."""
    text = evaluation.model_dump_json()
    if Evaluation.model_validate_json(text) != evaluation:
        return
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(EVALUATION, text)
        for figure in sorted(folder.iterdir()):
            archive.write(figure, figure.name)
    try:
        write_atomically(path, buffer.getvalue())
        _prune(path.parent)
    except OSError as error:
        logger.info("%s: not kept for later (%s)", path, system_reason(error))


def _prune(folder: Path) -> None:
    by_use = sorted(folder.glob("*.zip"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in by_use[MOST_KEPT:]:
        path.unlink(missing_ok=True)
