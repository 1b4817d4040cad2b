"""Names of the files that runs keep, and the name under which a cell is shown."""

from __future__ import annotations

SPEC = "spec.yaml"
ENVIRONMENT = "environment.txt"
UNCOMMITTED_DIFF = "uncommitted.diff"
FIGURES = "figures"
"""Folder of the figures of a run."""

RESULTS = "results.json"
ROWS = "rows"
"""Folder of a large sweep's question rows, a file per cell; those of others are in `RESULTS`."""
INLINE_ROWS = 50_000
"""Question rows of all cells up to which `RESULTS` holds them, and cells keep `TRAJECTORIES`; with
more of them both are tables."""
EVALUATION = "evaluation.json"
EXAMPLES_FILE = "examples.json"
"""Questions on which strategies differ, step by step, as the report shows them."""
REPORT_PAGE = "report.html"
PASSAGES = "passages.jsonl"
TRAJECTORIES = "trajectories.jsonl"
TRAJECTORIES_TABLE = "trajectories.parquet"
"""The trajectories of a cell of a large sweep."""
OUTCOMES = "outcomes.jsonl"
"""What a sweep or a calibration knows of outcomes, as `argo-ml replay` reads it."""
OUTCOMES_TABLE = "outcomes.json"
"""Table of a cell's question results, as MLflow's UI shows it; of the first `TABLE_ROWS`."""
TABLE_ROWS = 5_000
DETAILS = "details.json"
"""All metrics of a cell, also those that its run does not show, and the readings of devices."""
CALIBRATION = "calibration.json"
CALIBRATION_DIGEST = "calibration_digest"
STEPWISE_CALIBRATION = "calibration_stepwise.json"
"""What a replay learned of recorded sequences of actions, beside `CALIBRATION`."""
STEPWISE_CALIBRATION_DIGEST = "stepwise_calibration_digest"
PREDICTIONS = "predictions.jsonl"
"""What the policies of a replay decided, question by question."""

STUDY_REPORT = "report.json"
STUDY_STORAGE = "study.sqlite"
BEST_SETTINGS = "best"
"""Folder of a study's best settings."""

ADVICE = "advice.json"
"""When retrieval pays, as `argo-ml advise` found."""
ADVISED_PARTS = "advised_parts.json"
"""Which of the recorded questions an advice chose on."""

COMPARISON = "comparison.json"
COMPARISON_TABLE = "comparison_table.json"


def cell_name(strategy: str, retrieval_cost: float) -> str:
    """The name under which runs, messages and checks show a cell."""
    return f"{strategy} c_r={retrieval_cost:g}"


def rows_file(cell_id: str) -> str:
    """Path of a cell's rows among the artifacts of a large sweep."""
    return f"{ROWS}/{cell_id}.parquet"


def settings_file(retrieval_cost: float) -> str:
    """Path of a study's best settings at a price, among its artifacts."""
    return f"{BEST_SETTINGS}/c_r={retrieval_cost:g}.json"
