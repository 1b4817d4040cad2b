"""What a calibration says of itself."""

from __future__ import annotations

from argo_ml.calibration.record import Calibration
from argo_ml.statistics.confidence import confidence_metrics


def calibration_metrics(calibration: Calibration) -> dict[str, float]:
    """Counts, p-hat out of fold, the gains with their intervals, and accuracy by plan."""
    nodes, questions = calibration.nodes, calibration.questions
    judged = confidence_metrics(
        [node.confidence for node in nodes],
        [node.correct for node in nodes],
        [node.question for node in nodes],
    )
    metrics = {"n_questions": float(len(questions)), "n_states": float(len(nodes))}
    for name in ("roc_auc", "brier", "ece", "ece_if_calibrated", "aurc", "prr"):
        value = getattr(judged, name)
        if value is not None:
            metrics[name] = value
    metrics |= {f"brier_{name}": value for name, value in calibration.probability.brier.items()}
    for name, gain in calibration.gains.items():
        metrics |= {name: gain.mean, f"{name}_ci_low": gain.low, f"{name}_ci_high": gain.high}
    for plan in sorted({plan for question in questions for plan in question.outcomes}):
        right = [question.outcomes[plan] for question in questions if plan in question.outcomes]
        metrics[f"accuracy_{plan}"] = sum(right) / len(right)
    return metrics
