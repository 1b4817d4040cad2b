"""When does it pay to retrieve? An MLflow-tracked experiment platform.

The names of ``__all__`` are the Python interface (docs/python.md); each is imported when it is used
for the first time, so that importing the package takes no time.
"""

__version__ = "0.1.0"

_HOME_OF = {
    "ArgoError": "argo_ml.errors",
    "Pipeline": "argo_ml.recording",
    "advise": "argo_ml.interface.jobs",
    "calibrate": "argo_ml.interface.jobs",
    "estimate": "argo_ml.interface.jobs",
    "load_policy": "argo_ml.serving.loading",
    "load_results": "argo_ml.interface.jobs",
    "publish": "argo_ml.interface.jobs",
    "record": "argo_ml.interface.jobs",
    "replay": "argo_ml.replay",
    "sweep": "argo_ml.sweep",
    "tune": "argo_ml.interface.jobs",
}
"""The module of each name; those of packages that are called themselves are their own."""

__all__ = [
    "__version__",
    *_HOME_OF,
]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = import_module(_HOME_OF[name])
    value = home if _HOME_OF[name] == f"{__name__}.{name}" else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
