"""Embedded questions and documents about countries and chemical elements, made from facts."""

from argo_ml.datasets.atlas.source import ATLAS, Atlas, atlas_documents, atlas_tables

__all__ = ["ATLAS", "Atlas", "atlas_documents", "atlas_tables"]
