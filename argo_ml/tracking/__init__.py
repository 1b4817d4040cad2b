"""MLflow runs, system readings and figures."""
