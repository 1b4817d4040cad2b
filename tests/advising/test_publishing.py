"""An advice whose policy becomes a registered model."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from builders import small_study

from argo_ml.advising.running import _publishing, run_advice
from argo_ml.config import AdviseSpec, build
from argo_ml.errors import ConfigError
from argo_ml.tracking.runs import KIND, SWEEP_ID, connect

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_figures")]
TAKEN = "publish_as=advised: alias=champion of it is version 1's"
OTHERS = ("split", "n_questions", "n_prices", "strategies", "max_steps", "traces")


def test_the_advised_policy_is_published_once(
    tmp_path: Path, cache_dir: Path, tracking_uri: str
) -> None:
    sources = small_study.write(tmp_path, 56)
    values = {
        **{name: value for name, value in sources.items() if name not in OTHERS},
        **{"n_calibration": "10", "n_tune": "10", "n_test": "10", "max_steps": "1"},
        **{"retrieval_costs": "0.05,0.3", "policies": "never,single", "explorations": "0"},
        **{"cache_dir": str(cache_dir), "tracking_uri": tracking_uri, "publish_as": "advised"},
    }

    advice = run_advice(build(AdviseSpec, values))

    assert advice.published == "models:/advised@champion"
    with pytest.raises(ConfigError, match=f"{TAKEN}; take it with replace=true, or publish under"):
        run_advice(build(AdviseSpec, values))

    again = {"resume": advice.advice_id, "tracking_uri": tracking_uri}
    assert run_advice(build(AdviseSpec, again)) == advice
    other = run_advice(build(AdviseSpec, {**again, "publish_as": "other"}))
    assert other.published == "models:/other@champion"

    interrupted = {name: value for name, value in values.items() if name != "publish_as"}
    with pytest.raises(KeyboardInterrupt):
        run_advice(build(AdviseSpec, interrupted), interrupt)
    tracking = connect(tracking_uri, "argo_ml")
    [killed] = [
        run.info.run_id for run in tracking.in_status("KILLED") if run.data.tags[KIND] == "advice"
    ]
    going_on = {**again, "resume": killed, "publish_as": "advised"}
    with pytest.raises(ConfigError, match=TAKEN):
        run_advice(build(AdviseSpec, going_on))
    assert tracking.get(killed).info.status == "KILLED"
    taken = run_advice(build(AdviseSpec, {**going_on, "replace": "true"}))
    assert taken.published == "models:/advised@champion"
    champion = tracking.client.get_model_version_by_alias("advised", "champion")
    assert int(champion.version) == 2


def test_what_was_published_of_an_advice_gives_its_alias_to_what_comes_of_it_later() -> None:
    version = SimpleNamespace(version="1", tags={SWEEP_ID: "its sweep"})
    client = SimpleNamespace(get_model_version_by_alias=lambda *asked: version)

    def replaces(*children: str) -> bool:
        runs = [SimpleNamespace(info=SimpleNamespace(run_id=own)) for own in children]
        tracking: Any = SimpleNamespace(client=client, uri="", children=lambda run_id: runs)
        return _publishing(build(AdviseSpec, {"publish_as": "advised"}), tracking, "a").replace

    assert replaces("a calibration", "its sweep")
    assert not replaces("another")


def interrupt(*counts: object) -> None:
    raise KeyboardInterrupt
