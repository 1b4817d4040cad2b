"""MLflow: runs, stores, system metrics and where a run is."""
