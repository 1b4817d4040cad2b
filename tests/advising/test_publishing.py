"""An advice whose policy becomes a registered model."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import small_study

from argo_ml.advising.running import run_advice
from argo_ml.config import AdviseSpec, build
from argo_ml.errors import ConfigError

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_figures")]
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
    with pytest.raises(ConfigError, match="alias=champion of advised is version 1's"):
        run_advice(build(AdviseSpec, values))
