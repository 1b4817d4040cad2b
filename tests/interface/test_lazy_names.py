"""What `import argo_ml` gives, and what it costs."""

from __future__ import annotations

import inspect
import pydoc
import subprocess
import sys

import pytest

import argo_ml
import argo_ml.replay.reading
import argo_ml.sweep.running
from argo_ml.interface import jobs

FASTEST_OF_THREE = """
import subprocess, sys, time
def seconds(code):
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - started
print(min(seconds("import argo_ml") - seconds("pass") for _ in range(3)))
"""


def test_importing_the_package_takes_less_than_a_third_of_a_second() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FASTEST_OF_THREE], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 0.3


@pytest.mark.parametrize("name", [name for name in argo_ml.__all__ if name != "__version__"])
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(argo_ml, name)
    assert callable(value)
    assert inspect.getdoc(value)
    assert name in dir(argo_ml)


@pytest.mark.parametrize("name", ["sweep", "replay"])
def test_a_package_of_the_same_name_is_called(name: str) -> None:
    called = getattr(argo_ml, name)
    assert list(inspect.signature(called).parameters) == ["spec", "progress", "options"]
    with pytest.raises(argo_ml.ArgoError, match="parameter 'modus' is unknown"):
        called(modus="small")


@pytest.mark.parametrize("name", ["sweep", "replay"])
def test_such_a_package_shows_the_documentation_of_its_function(name: str) -> None:
    called = getattr(argo_ml, name)
    shown = inspect.getdoc(called) or ""
    assert shown == inspect.getdoc(getattr(jobs, name))
    assert shown.splitlines()[0] in pydoc.render_doc(called, renderer=pydoc.plaintext)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'sweeps'"):
        argo_ml.sweeps  # type: ignore[attr-defined]  # noqa: B018


def test_a_spec_of_another_job_is_refused() -> None:
    from argo_ml.config import CacheSpec

    with pytest.raises(argo_ml.ArgoError, match="is no SweepSpec"):
        argo_ml.sweep(CacheSpec())  # type: ignore[arg-type]
