"""What the model's hidden states add to the other features of a policy that learns.

Cross-validation over the questions of one calibration that was made with hidden states, so that no
question that is tested on is read. Out of fold are predicted, before any step, what one retrieval
changes (its correlation with the change) and whether the answer is right (the area under the ROC
curve), each with its difference to the features without states and that difference's standard
error, by resampling questions. Then the policies as they ship, made of the other folds with and
without states: their utility above the plan that was best there.

    argo-ml calibrate --hidden_states true --max_steps 1 --n_questions 1000
    python -m benchmarks.hidden_states mlruns/1/RUN_ID/artifacts/calibration.json
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.cross_decomposition import PLSRegression
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from argo_ml.calibration.record import Calibration, Projection
from argo_ml.mdp.process import MDPSpec, solve
from argo_ml.models.hidden_states import N_LAYERS, N_PROJECTIONS
from argo_ml.policies import make_policy
from argo_ml.policies.context import PolicyContext
from argo_ml.policies.gates.questions import question_features
from argo_ml.types import Action
from benchmarks.recorded_sets import PRICES, Floats
from benchmarks.reporting import report

ACTIONS = ((), ("retrieve",), ("reason",))
POLICIES = ("argo_fitted", "argo_advantage", "benefit_gate")
REASON_COST = 0.02
N_RESAMPLES = 300
Places = NDArray[np.int64]
Compress = Callable[[Floats, Floats, Places], Floats]
"""Columns made of (questions, numbers) states; what is fitted sees the places learned from."""


def whole(states: Floats, targets: Floats, train: Places) -> Floats:
    return states


def of_layer(layer: int, states: Floats, targets: Floats, train: Places) -> Floats:
    return states[:, layer * N_PROJECTIONS : (layer + 1) * N_PROJECTIONS]


def principal(n: int, states: Floats, targets: Floats, train: Places) -> Floats:
    made: Floats = PCA(min(n, len(train)), svd_solver="full").fit(states[train]).transform(states)
    return made


def partial_least_squares(n: int, states: Floats, targets: Floats, train: Places) -> Floats:
    made: Floats = PLSRegression(n).fit(states[train], targets[train]).transform(states)
    return made


def evenly(compress: Compress, states: Floats, targets: Floats, train: Places) -> Floats:
    """Every layer counts as much as any other: the later ones vary more."""
    layers = np.split(states, N_LAYERS, axis=1)
    scaled = [own / own[train].std(axis=0).mean() for own in layers]
    return compress(np.hstack(scaled), targets, train)


TRIALS: Mapping[str, Compress] = {
    "all numbers of all layers": whole,
    **{f"layer {at + 1} of {N_LAYERS}": partial(of_layer, at) for at in range(N_LAYERS)},
    **{f"{n} principal components": partial(principal, n) for n in (8, 16, 32, 64)},
    "32 of evenly scaled layers": partial(evenly, partial(principal, 32)),
    **{f"{n} of partial least squares": partial(partial_least_squares, n) for n in (1, 2, 4)},
}


class Questions:
    """By question: features without states, states, and what came of it with and without steps."""

    def __init__(self, calibration: Calibration) -> None:
        roots = {node.question: node for node in calibration.nodes if not node.actions}
        after = {node.question: node for node in calibration.nodes if node.actions == ACTIONS[1]}
        places = sorted(roots)
        states = [calibration.questions[at].state() for at in places]
        answers = [state.observations.answer for state in states]
        self.states = np.array([answer.hidden_state for answer in answers if answer is not None])
        if not self.states.size:
            raise SystemExit("the calibration has no hidden states: --hidden_states true makes one")
        n_without = len(without_states(calibration).feature_names)
        own = np.array([roots[at].features for at in places])[:, :n_without]
        words = [question_features(state.question) for state in states]
        n_projections = len(calibration.projection.components)
        self.base = np.hstack([np.array(words), own[:, : own.shape[1] - n_projections]])
        self.projections = own[:, own.shape[1] - n_projections :]
        self.right = np.array([float(roots[at].correct) for at in places])
        self.change = np.array([float(after[at].correct) for at in places]) - self.right


def folds(n: int, n_repeats: int) -> Iterator[tuple[int, Places, Places]]:
    for seed in range(n_repeats):
        for train, held_out in KFold(5, shuffle=True, random_state=seed).split(np.zeros(n)):
            yield seed, train, held_out


def predicted(columns: Callable[[Places], Floats], targets: Floats, n_repeats: int) -> Floats:
    """(repeats, questions) out of fold by ridge regression on standardised columns, as deviations
    from the mean of those fitted on, which is the lower the more of the targets left out are
    high."""
    made = np.zeros((n_repeats, len(targets)))
    for seed, train, held_out in folds(len(targets), n_repeats):
        rows = columns(train)
        scaled = StandardScaler().fit(rows[train]).transform(rows)
        fitted = RidgeCV(np.logspace(0, 5, 11)).fit(scaled[train], targets[train])
        made[seed, held_out] = fitted.predict(scaled[held_out]) - targets[train].mean()
    return made


def correlation(values: Floats, targets: Floats) -> float:
    """Mean over repeats."""
    products = (values - values.mean(axis=1, keepdims=True)) @ (targets - targets.mean())
    deviations = values.std(axis=1) * targets.std() * len(targets)
    return float(np.mean(products / np.maximum(deviations, 1e-12)))


def area(values: Floats, targets: Floats) -> float:
    """Area under the ROC curve by the ranks of the right ones, mean over repeats."""
    ranks, n_right = rankdata(values, axis=1), targets.sum()
    above = ranks @ targets - n_right * (n_right + 1) / 2
    return float(np.mean(above / (n_right * (len(targets) - n_right))))


def error_of_difference(
    measure: Callable[[Floats, Floats], float], first: Floats, second: Floats, targets: Floats
) -> float:
    """Standard error over resampled questions."""
    generator = np.random.default_rng(0)
    differences = []
    for _ in range(N_RESAMPLES):
        at = generator.integers(len(targets), size=len(targets))
        if np.ptp(targets[at]):
            own = [measure(values[:, at], targets[at]) for values in (first, second)]
            differences.append(own[0] - own[1])
    return float(np.std(differences))


def prediction_rows(questions: Questions, n_repeats: int) -> Iterator[dict[str, Any]]:
    """A row of every way of using states, after the features without any."""
    measures = (("change", questions.change, correlation), ("right", questions.right, area))
    base = {
        name: predicted(lambda _: questions.base, targets, n_repeats)
        for name, targets, _ in measures
    }
    yield {
        "states": "none",
        **{name: measure(base[name], targets) for name, targets, measure in measures},
    }
    for name, compress in TRIALS.items():
        row: dict[str, Any] = {"states": name}
        for target, values, measure in measures:
            alone = partial(compress, questions.states, values)
            both = _beside(questions.base, alone)
            made = predicted(both, values, n_repeats)
            row[target] = measure(made, values)
            row[f"{target} gains"] = row[target] - measure(base[target], values)
            row[f"error of {target}"] = error_of_difference(measure, made, base[target], values)
            row[f"{target}, states alone"] = measure(predicted(alone, values, n_repeats), values)
        yield row


def _beside(base: Floats, columns: Callable[[Places], Floats]) -> Callable[[Places], Floats]:
    return lambda train: np.hstack([base, columns(train)])


def without_states(calibration: Calibration) -> Calibration:
    """The same calibration, as it were made without hidden states."""
    n_kept = len(calibration.feature_names) - len(calibration.state_projection.components)
    linear = calibration.probability.linear
    kept = {name: getattr(linear, name)[:n_kept] for name in ("means", "scales", "weights")}
    nodes = tuple(
        node.model_copy(update={"features": node.features[:n_kept]}) for node in calibration.nodes
    )
    return calibration.model_copy(
        update={
            "feature_names": calibration.feature_names[:n_kept],
            "state_projection": Projection(),
            "probability": calibration.probability.model_copy(
                update={"linear": linear.model_copy(update=kept)}
            ),
            "nodes": nodes,
        }
    )


def of_questions(calibration: Calibration, places: Places) -> Calibration:
    """The calibration of these questions alone, with p-hat and projections of all: none of the
    policies tried here reads p-hat, and projections know no answers."""
    numbers = {int(place): number for number, place in enumerate(places)}
    nodes = tuple(
        node.model_copy(update={"question": numbers[node.question]})
        for node in calibration.nodes
        if node.question in numbers
    )
    questions = tuple(calibration.questions[place] for place in numbers)
    metadata = tuple(calibration.metadata[at] for at in numbers) if calibration.metadata else ()
    return calibration.model_copy(
        update={"questions": questions, "nodes": nodes, "metadata": metadata}
    )


def utilities(calibration: Calibration, price: float) -> Floats:
    """(questions, `ACTIONS`): right answers minus what the action costs."""
    costs = (0.0, price, REASON_COST)
    by_place = {(node.question, node.actions): node.correct for node in calibration.nodes}
    return np.array(
        [
            [
                float(by_place[at, actions]) - cost
                for actions, cost in zip(ACTIONS, costs, strict=True)
            ]
            for at in range(len(calibration.questions))
        ]
    )


def gains(calibration: Calibration, policy: str, n_repeats: int) -> Floats:
    """By question and price, above the plan that was best on the questions learned from."""
    n_questions = len(calibration.questions)
    made = np.zeros((n_questions, len(PRICES)))
    states = [question.state() for question in calibration.questions]
    names = [Action.STOP, Action.RETRIEVE, Action.REASON]
    for at, price in enumerate(PRICES):
        values = utilities(calibration, price)
        for _, train, held_out in folds(n_questions, n_repeats):
            own = of_questions(calibration, train)
            context = PolicyContext(
                solve(MDPSpec(price, REASON_COST)), max_steps=1, calibration=own
            )
            decides = make_policy(policy, context).decide
            plan = int(values[train].mean(axis=0).argmax())
            for place in held_out:
                action = decides(states[place], random.Random(0)).action
                made[place, at] += values[place, names.index(action)] - values[place, plan]
    return made / n_repeats


def policy_rows(
    calibration: Calibration, policies: Sequence[str], n_repeats: int
) -> Iterator[dict[str, Any]]:
    """Mean over prices in points, with and without states, and the difference."""
    kinds = {"with": calibration, "without": without_states(calibration)}
    for policy in policies:
        means = {
            name: 100 * gains(own, policy, n_repeats).mean(axis=1) for name, own in kinds.items()
        }
        means["difference"] = means["with"] - means["without"]
        row: dict[str, Any] = {"policy": policy}
        for name, own in means.items():
            row |= {name: float(own.mean()), f"error of {name}": float(_error(own))}
        yield row


def _error(values: Floats) -> float:
    return float(values.std(ddof=1) / len(values) ** 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("calibration", type=Path)
    parser.add_argument("--repeats", type=int, default=4, help="of the first table; 0: without it")
    parser.add_argument("--policies", default=",".join(POLICIES))
    parser.add_argument("--policy-repeats", type=int, default=1)
    given = parser.parse_args()
    calibration = Calibration.model_validate_json(given.calibration.read_text(encoding="utf-8"))
    questions = Questions(calibration)
    facts = {"n_questions": len(questions.right), "mean change": float(questions.change.mean())}
    if given.repeats:
        report("hidden_states", list(prediction_rows(questions, given.repeats)), **facts)
    rows = policy_rows(calibration, given.policies.split(","), given.policy_repeats)
    report("hidden_states_policies", list(rows), **facts)


if __name__ == "__main__":
    main()
