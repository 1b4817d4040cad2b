"""When does it pay to retrieve? An MLflow-tracked experiment platform."""

__version__ = "0.1.0"
