"""Progress bars in a notebook and on a terminal; nothing is shown elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from argo_ml.errors import ConfigError
from argo_ml.interface.notebook import bar_type, is_notebook
from argo_ml.progress import NOT_SHOWN, OnProgress, ignore_progress

Progress = bool | OnProgress | None
"""True and False show bars or none, a function receives the counts instead; None shows bars where
somebody sees them."""


@contextlib.contextmanager
def showing(progress: Progress) -> Iterator[OnProgress]:
    """The observer that ``progress`` asks for; bars are closed when the block ends.

    Raises `ConfigError` for the parameter of the decision process that has the same name.
    """
    if isinstance(progress, str):
        raise ConfigError(
            f"progress={progress}: here it is True, False or a function; give the parameter in a "
            f"spec, as in argo_ml.sweep(SweepSpec(progress={progress!r}))"
        )
    if callable(progress):
        yield progress
    elif progress or (progress is None and _is_seen()):
        with contextlib.ExitStack() as until_the_end:
            yield _Bars(until_the_end)
    else:
        yield ignore_progress


class _Bars:
    """A bar for each thing that is counted, from its first report on."""

    def __init__(self, until_the_end: contextlib.ExitStack) -> None:
        self._until_the_end = until_the_end
        self._bars: dict[str, Any] = {}

    def __call__(self, unit: str, n_finished: int, n_total: int) -> None:
        if unit in NOT_SHOWN:
            return
        if unit not in self._bars:
            bar = bar_type()(desc=unit, total=n_total, leave=False)
            self._bars[unit] = bar
            self._until_the_end.callback(bar.close)
        bar = self._bars[unit]
        if n_finished < bar.n:
            # Another count of the same kind has begun, such as the next model's.
            bar.reset(n_total)
        bar.update(n_finished - bar.n)


def _is_seen() -> bool:
    return is_notebook() or (sys.stderr is not None and sys.stderr.isatty())
