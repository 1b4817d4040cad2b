from __future__ import annotations

from builders import result_builders

from argo_ml.config import SweepSpec, build
from argo_ml.evaluation.stopping import stopping_rule
from argo_ml.results.records import Results
from argo_ml.verification.completeness import check_stopping

SPEC = build(
    SweepSpec,
    {
        "until": "decided",
        "strategies": "never,single",
        "retrieval_costs": "0.9",
        "n_questions": "20",
    },
)


def stopped() -> Results:
    results = result_builders.results(SPEC)
    rule = stopping_rule(SPEC)
    assert rule is not None
    rows = {(cell.strategy, cell.retrieval_cost): cell.questions for cell in results.cells}
    for start in (0, 10):
        rule.add({key: own[start : start + 10] for key, own in rows.items()})
    return results.model_copy(update={"stopping": rule.record(300)})


def test_stopping_that_the_rows_give_passes() -> None:
    verdict = check_stopping(SPEC, stopped())

    assert verdict.ok
    assert verdict.detail == "as the rows say"


def test_another_sign_than_the_rows_give_fails() -> None:
    results = stopped()
    assert results.stopping is not None
    (told,) = results.stopping.verdicts
    turned = results.stopping.model_copy(
        update={"verdicts": (told.model_copy(update={"sign": "above"}),)}
    )

    verdict = check_stopping(SPEC, results.model_copy(update={"stopping": turned}))

    assert verdict.has_failed
    assert "the rows say to stop after 20, or tell other signs" in verdict.detail


def test_stopping_that_nobody_asked_for_fails() -> None:
    verdict = check_stopping(SPEC.model_copy(update={"until": "all"}), stopped())

    assert verdict.has_failed
