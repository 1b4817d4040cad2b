"""Import every module where nothing of its own layer or of those above has been imported.

Run as a program it reads layers of modules from standard input, the lowest first, and writes which
modules cannot be imported first, and why. What lies below a module is imported already and cannot
import it (the contract of import-linter), so that each layer costs its own modules alone.
"""

from __future__ import annotations

import gc
import importlib
import json
import multiprocessing
import sys
import tempfile
import traceback
from collections.abc import Sequence

THIRD_PARTY = (
    *("accelerate", "chromadb", "docutils.nodes", "gguf", "jinja2", "langchain_text_splitters"),
    *("markitdown", "matplotlib.pyplot", "mlflow", "optuna", "pydantic", "rich.console"),
    *("safetensors", "scipy.stats", "sentence_transformers", "sklearn.linear_model"),
    *("sqlalchemy", "torch", "transformers", "yaml"),
)
"""What takes seconds to import; imported once, before the processes part."""


def import_error(name: str) -> str:
    """What the import of the module raises; empty where it raises nothing."""
    try:
        importlib.import_module(name)
    except Exception:
        return traceback.format_exc(limit=-3)
    return ""


def first_import_error(name: str) -> str:
    """As `import_error`; the modules of the package that it brought are forgotten again."""
    before = set(sys.modules)
    try:
        return import_error(name)
    finally:
        for brought in set(sys.modules) - before:
            if brought.partition(".")[0] == "argo_ml":
                forget(brought)


def forget(name: str) -> None:
    parent, _, own = name.rpartition(".")
    del sys.modules[name]
    if own in vars(sys.modules.get(parent, object)):
        delattr(sys.modules[parent], own)


def errors_of(layer: Sequence[str]) -> dict[str, str]:
    """What each module raises as the first of its layer, in a process that ends with the layer."""
    # Forked processes then share what is loaded instead of copying it on the first collection.
    gc.freeze()
    with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        errors = pool.map(first_import_error, layer, chunksize=len(layer))
    return {name: error for name, error in zip(layer, errors, strict=True) if error}


def main() -> None:
    for name in THIRD_PARTY:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as folder:
        # Without bytecode every process would compile its modules anew.
        sys.pycache_prefix, sys.dont_write_bytecode = folder, False
        errors: dict[str, str] = {}
        for layer in json.load(sys.stdin):
            errors |= errors_of(layer)
            errors |= {name: error for name in layer if (error := import_error(name))}
    json.dump(errors, sys.stdout)


if __name__ == "__main__":
    main()
