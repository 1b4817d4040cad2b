"""ORAN-Bench-13K and the documents of the O-RAN Software Community, downloaded once from GitHub.

Every file is pinned to a commit and checked by SHA-256. A folder is written beside its place and
moved there when it is whole; one that is whole already is left alone.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import logging
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import requests

from argo_ml.errors import one_line, system_reason
from argo_ml.models.downloads import FetchError, OnStatus, exclusive_folder, staging_folder

logger = logging.getLogger(__name__)

GITHUB_FILES = "https://raw.githubusercontent.com"
ORAN_BENCH = "oran-bench-13k"
ORAN_DOCS = "oran-sc-docs"
ORAN_BENCH_SOURCE = "prnshv/ORAN-Bench-13K/d13ffc399bf41d86684f2c031a1078b98abcccb0"
ORAN_DOCS_COMMITS: Mapping[str, str] = MappingProxyType(
    {
        "doc": "d97b6304c78cf6b7efb693e396abd344b25630cd",
        "o-du-l2": "04feb1fd9f815d4a87fb502a961cdbfa5209c7f4",
        "o-du-phy": "6ef1d2b70db585e351b9cd35c6054c1b249a7465",
        "oam": "bfdfa323a20b82a2fa85ad5ff19f0be2a8f98228",
        "pti-o2": "32eb96776f75587806d1759e96cd3aabf1873b6f",
        "nonrtric": "d7270cf99e754888b9f635344b9d44b94d82783f",
        "ric-app-ts": "19e169b2e81a0dbaf3d9dc526de0415cc995ee8b",
        "ric-plt-a1": "36ac87f24b0de22cd48883fd762640b9595cbfdb",
        "ric-plt-e2mgr": "f7de6675d7d1304e54ce1147b912bb351282b8d8",
        "ric-plt-ric-dep": "33b5940a15ea852d47f73521295eef53d295b7fd",
        "ric-plt-submgr": "0bb599bc0fc0bef72770ac08b2d710cb5b0ed5a2",
        "ric-plt-xapp-frame-py": "611c03c59f19ae439d660d63d6b9ac0256742e2f",
        "smo-o1": "148cfd2526feb8191627e73f3ee3ef11867d3b83",
    }
)
"""O-RAN Software Community project -> commit; the files of its ``docs/`` folder are taken."""

ATTRIBUTION = (
    "Documentation of the O-RAN Software Community, copied unchanged from the docs/ folder of each "
    "project's repository on GitHub, licensed under the Creative Commons Attribution 4.0 "
    "International License (https://creativecommons.org/licenses/by/4.0/); copyright holders are "
    "named at the top of each file.\n\n"
)


@dataclass(frozen=True, slots=True)
class OranData:
    """Folders of the questions and the documents; None for what the source did not hold."""

    questions: Path | None
    documents: Path | None


def fetch_oran(
    cache_path: Path,
    source: str = "",
    base_url: str = GITHUB_FILES,
    on_status: OnStatus = logger.info,
    checksums: Mapping[str, str] | None = None,
) -> OranData:
    """Put ORAN-Bench-13K and the O-RAN SC documents into the cache folder.

    ``source`` is a local folder that holds ``oran-bench-13k/`` or ``oran-sc-docs/`` or both; empty
    downloads them from GitHub. Every file is checked against ``checksums`` (path -> SHA-256), by
    default the pinned `oran_checksums`. Raises `FetchError`.
    """
    folder = Path(source).expanduser()
    read = _local_reader(source, folder) if source else _github_reader(base_url)
    names = [name for name in (ORAN_BENCH, ORAN_DOCS) if not source or (folder / name).is_dir()]
    if not names:
        raise FetchError(f"source={source}: holds neither {ORAN_BENCH}/ nor {ORAN_DOCS}/")
    expected = oran_checksums() if checksums is None else checksums
    folders = {
        name: _fetch_folder(cache_path / "data" / name, expected, read, on_status) for name in names
    }
    return OranData(folders.get(ORAN_BENCH), folders.get(ORAN_DOCS))


def oran_checksums() -> dict[str, str]:
    """Path -> SHA-256 of every O-RAN file, as ``sha256sum`` writes them."""
    listed = importlib.resources.files("argo_ml.datasets") / "oran_files.sha256"
    text = listed.read_text("utf-8")
    pairs = (line.split("  ", 1) for line in text.splitlines())
    return {path: digest for digest, path in pairs}


ReadContent = Callable[[str], bytes]
"""Gives the content of an O-RAN file by its path in the checksum list."""


def _fetch_folder(
    target: Path, checksums: Mapping[str, str], read: ReadContent, on_status: OnStatus
) -> Path:
    expected = {
        path: digest for path, digest in checksums.items() if path.startswith(f"{target.name}/")
    }
    with exclusive_folder(target.parent):
        if all((target.parent / path).is_file() for path in expected):
            return target
        on_status(f"fetching {target.name} ({len(expected)} files)")
        with staging_folder(target.parent) as staging:
            _fill(staging, expected, read)
            if target.name == ORAN_DOCS:
                (staging / ORAN_DOCS / "ATTRIBUTION").write_text(_attribution(), encoding="utf-8")
            if target.exists():
                os.replace(target, staging / "replaced")
            os.replace(staging / target.name, target)
    return target


def _fill(folder: Path, expected: Mapping[str, str], read: ReadContent) -> None:
    def write_file(path: str) -> None:
        content = read(path)
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 != expected[path]:
            raise FetchError(f"{path}: SHA-256 is {sha256}, expected {expected[path]}")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)

    with ThreadPoolExecutor(max_workers=8) as pool:
        futures = [pool.submit(write_file, path) for path in expected]
        try:
            for future in futures:
                future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _local_reader(source: str, folder: Path) -> ReadContent:
    if not folder.is_dir():
        raise FetchError(f"source={source}: no such folder")

    def read(path: str) -> bytes:
        try:
            return (folder / path).read_bytes()
        except OSError as error:
            raise FetchError(f"{folder / path}: cannot be read ({system_reason(error)})") from None

    return read


def _github_reader(base_url: str) -> ReadContent:
    def read(path: str) -> bytes:
        url = f"{base_url}/{oran_source(path)}"
        try:
            response = requests.get(url, timeout=30)
            response.raise_for_status()
        except requests.RequestException as error:
            raise FetchError(
                f"{url}: cannot be downloaded ({one_line(error)}); or give a local folder with "
                "--source"
            ) from None
        return response.content

    return read


def oran_source(path: str) -> str:
    """Where GitHub keeps a file of the checksum list: owner/repository/commit/path."""
    folder, name = path.split("/", 1)
    if folder == ORAN_BENCH:
        return f"{ORAN_BENCH_SOURCE}/{name if name == 'LICENSE' else f'Benchmark/{name}'}"
    project, name = name.split("/", 1)
    return f"o-ran-sc/{project}/{ORAN_DOCS_COMMITS[project]}/docs/{name}"


def _attribution() -> str:
    rows = [f"{project}: o-ran-sc/{project} at {c}" for project, c in ORAN_DOCS_COMMITS.items()]
    return ATTRIBUTION + "\n".join(rows) + "\n"
