"""A policy that a sweep justifies, as a model of MLflow: published, loaded, served."""
