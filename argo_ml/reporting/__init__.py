"""The report of a sweep: one file that tells the whole story."""

from argo_ml.reporting.report import store_report, write_report

__all__ = ["store_report", "write_report"]
