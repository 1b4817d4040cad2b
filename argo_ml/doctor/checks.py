"""All checks of a machine, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from argo_ml.config import DoctorSpec
from argo_ml.devices import open_driver
from argo_ml.doctor.check import Check, attempted
from argo_ml.doctor.disk_space import check_disk
from argo_ml.doctor.gpus import check_gpus, list_gpus
from argo_ml.doctor.inputs import check_documents, check_questions
from argo_ml.doctor.journals import check_journals
from argo_ml.doctor.leftovers import check_leftovers, check_runs
from argo_ml.doctor.machine import check_device, check_packages, check_python
from argo_ml.doctor.parts import check_embedder, check_index_folder, check_model
from argo_ml.doctor.services import check_chroma, check_tracking

Looks = dict[str, Callable[[DoctorSpec], Check]]


def repair_checks(spec: DoctorSpec) -> Iterator[Check]:
    """What dead processes have left, ended and removed where ``repair`` is set."""
    looks: Looks = {"runs": check_runs, "journals": check_journals, "leftovers": check_leftovers}
    return _attempted(looks, spec)


def checks(spec: DoctorSpec) -> Iterator[Check]:
    """One check after the other, the cheap ones first; none raises for what it looks at."""
    yield check_python()
    yield from check_packages()
    inputs: Looks = {
        "disk": check_disk,
        "index folder": check_index_folder,
        "questions": check_questions,
        "documents": check_documents,
        "tracking": check_tracking,
    }
    yield from _attempted(inputs, spec)
    yield from repair_checks(spec)
    with open_driver() as driver:
        yield check_device(spec, list_gpus(driver))
        yield from check_gpus(driver)
    parts: Looks = {"Chroma": check_chroma, "embedder": check_embedder, "model": check_model}
    yield from _attempted(parts, spec)


def _attempted(looks: Looks, spec: DoctorSpec) -> Iterator[Check]:
    for name, look in looks.items():
        yield attempted(name, look, spec)
