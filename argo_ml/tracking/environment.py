"""Where a run's code and packages come from."""

from __future__ import annotations

import getpass
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

DIRTY = "mlflow.source.git.dirty"
USER = "mlflow.user"

_ROOT = Path(__file__).resolve().parents[2]


@cache
def source_tags() -> dict[str, str]:
    """Git state and user, under the names MLflow's UI shows; unknown ones are left out."""
    tags = {
        "mlflow.source.name": "argo-ml",
        "mlflow.source.type": "LOCAL",
        USER: _user(),
    }
    commit = _git("rev-parse", "HEAD")
    if commit:
        tags["mlflow.source.git.commit"] = commit
        tags[DIRTY] = str(bool(_git("status", "--porcelain")))
    return tags


def uncommitted_diff() -> str:
    """The working tree's difference from the commit named in the tags, empty when clean."""
    return _git("diff", "HEAD")


@cache
def packages() -> str:
    """Python and every installed distribution, as a requirements file pins them."""
    named = (_name_and_version(dist) for dist in metadata.distributions())
    pins = sorted(f"{name}=={version}" for name, version in named if name)
    return "\n".join([f"# Python {sys.version.split()[0]}", *dict.fromkeys(pins), ""])


def _name_and_version(distribution: metadata.Distribution) -> tuple[str, str]:
    """As `Distribution.metadata` has them, which parses pages of description for it."""
    head, _, _ = (distribution.read_text("METADATA") or "").partition("\n\n")
    fields = dict(line.partition(": ")[::2] for line in head.splitlines())
    if "Name" in fields and "Version" in fields:
        return fields["Name"].strip(), fields["Version"].strip()
    return distribution.metadata["Name"] or "", distribution.version


def _git(*arguments: str) -> str:
    if not (_ROOT / "MLproject").exists():
        # An installed copy: a repository around it would be somebody else's.
        return ""
    try:
        done = subprocess.run(
            ["git", "-C", str(_ROOT), *arguments],
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="replace",
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
