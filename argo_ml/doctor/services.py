"""Chroma and MLflow's tracking, in this process or on a server."""

from __future__ import annotations

import tempfile

from argo_ml.addresses import redacted, shown
from argo_ml.config import DoctorSpec
from argo_ml.corpus.sqlite_version import OTHER_PYTHON, sqlite_problem
from argo_ml.doctor.check import Check, Status, ok, refused
from argo_ml.errors import ArgoError, one_line
from argo_ml.tracking.stores import (
    check_reachable,
    count_experiments,
    default_uri,
    is_yet_to_be_made,
)


def check_chroma(spec: DoctorSpec) -> Check:
    if spec.chroma_url:
        return _check_chroma_server(spec.chroma_url)
    if problem := sqlite_problem():
        return Check("Chroma", Status.ERROR, problem, OTHER_PYTHON)
    try:
        version = _open_and_close_chroma()
    except (ImportError, RuntimeError, OSError) as error:
        detail = one_line(error)
        return Check("Chroma", Status.ERROR, detail, "pip install --upgrade chromadb")
    return ok("Chroma", f"{version} opens in this process")


def _open_and_close_chroma() -> str:
    import chromadb
    from chromadb.errors import ChromaError

    from argo_ml.corpus.index import chroma_settings

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            client = chromadb.PersistentClient(path=folder, settings=chroma_settings())
            client.heartbeat()
        except ChromaError as error:
            raise RuntimeError(str(error)) from None
    return str(chromadb.__version__)


def _check_chroma_server(url: str) -> Check:
    from argo_ml.corpus.server_store import ServerStore

    try:
        ServerStore(url)
    except ArgoError as error:
        return refused("Chroma", error)
    return ok("Chroma", f"a server answers at {shown(url)}")


def check_tracking(spec: DoctorSpec) -> Check:
    """Reads from the store; nothing is created."""
    uri = spec.tracking_uri or default_uri()
    place = redacted(uri)
    try:
        check_reachable(uri)
        if is_yet_to_be_made(uri):
            return ok("tracking", f"{place} will be created by the first run")
        n_experiments = count_experiments(uri)
    except ArgoError as error:
        return refused("tracking", error)
    return ok("tracking", f"{place} answers, with {n_experiments} experiments")
