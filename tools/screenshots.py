"""Pictures of a finished sweep or study in MLflow's user interface, in a headless Chromium.

    python tools/screenshots.py --backend-store-uri sqlite:///mlflow.db --sweep RUN_ID --folder docs
    python tools/screenshots.py --backend-store-uri sqlite:///mlflow.db --study RUN_ID --folder docs

Starts `mlflow ui` on the store, and fails where the interface does not show what it should: the
sweep with its cells nested, the cells side by side, and Graph 1.A among the artifacts; the study
with its trials nested and sorted by utility, and their parallel coordinates.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run
from playwright.sync_api import Page, sync_playwright

KIND = "argo.kind"
TIMEOUT_MS = 60_000
SETTLE_MS = 2_000
SIZE = {"width": 1500, "height": 760}
SHOWN = {"x": 0, "y": 0, "width": 1112, "height": 760}
"""Without the assistant, a panel that some versions of MLflow open at the right."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend-store-uri", required=True)
    shown = parser.add_mutually_exclusive_group(required=True)
    shown.add_argument("--sweep")
    shown.add_argument("--study")
    parser.add_argument("--folder", type=Path, default=Path("docs"))
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    given = parser.parse_args()
    client = MlflowClient(given.backend_store_uri)
    with interface(given.backend_store_uri) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=given.chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport=SIZE, device_scale_factor=1)
        page.set_default_timeout(TIMEOUT_MS)
        if given.sweep:
            picture_sweep(page, url, client, given.sweep, given.folder)
        else:
            picture_study(page, url, client, given.study, given.folder)
        browser.close()


def picture_sweep(page: Page, url: str, client: MlflowClient, sweep: str, folder: Path) -> None:
    experiment = client.get_run(sweep).info.experiment_id
    cells = children(client, experiment, sweep)
    names = sorted(cell.info.run_name for cell in cells)
    compared = [cell.info.run_id for cell in cells if cell.data.params["retrieval_cost"] == "0.02"]
    nested(page, url, experiment, names)
    page.screenshot(path=folder / "mlflow_sweep.png", clip=SHOWN)
    side_by_side(page, url, experiment, compared)
    page.screenshot(path=folder / "mlflow_compare.png", clip=SHOWN)
    artifact(page, url, experiment, sweep)
    page.screenshot(path=folder / "mlflow_graph_1a.png", clip=SHOWN)


def picture_study(page: Page, url: str, client: MlflowClient, study: str, folder: Path) -> None:
    experiment = client.get_run(study).info.experiment_id
    trials = [run for run in children(client, experiment, study) if run.data.tags[KIND] == "trial"]
    best = max(trials, key=lambda run: run.data.metrics.get("utility", float("-inf")))
    page.goto(
        f"{url}/#/experiments/{experiment}/runs?orderByKey=metrics.%60utility%60&orderByAsc=false"
    )
    page.get_by_text(best.info.run_name, exact=True).first.wait_for()
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=folder / "mlflow_study.png", clip=SHOWN)
    side_by_side(page, url, experiment, [run.info.run_id for run in trials])
    page.screenshot(path=folder / "mlflow_parallel.png", clip=SHOWN)


def children(client: MlflowClient, experiment: str, parent: str) -> list[Run]:
    return list(client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent}'"))


@contextlib.contextmanager
def interface(store: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", store]
    process = subprocess.Popen([*command, "--port", str(port), "--workers", "1"])
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health"):
                break
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait()


def nested(page: Page, url: str, experiment: str, names: list[str]) -> None:
    """The runs of the experiment, the sweep's cells below it."""
    page.goto(f"{url}/#/experiments/{experiment}/runs")
    page.get_by_text("sweep small").first.wait_for()
    page.locator("[role=row]", has_text="sweep small").last.locator("button, svg").first.click()
    page.get_by_text(names[0], exact=True).first.wait_for()
    page.wait_for_timeout(SETTLE_MS)


def side_by_side(page: Page, url: str, experiment: str, runs: list[str]) -> None:
    """MLflow's comparison of some cells."""
    listed = ",".join(f'"{run}"' for run in runs)
    page.goto(f'{url}/#/compare-runs?runs=[{listed}]&experiments=["{experiment}"]')
    page.get_by_text("accuracy", exact=True).first.wait_for()
    page.locator("canvas, svg.main-svg").first.wait_for()
    page.wait_for_timeout(SETTLE_MS)


def artifact(page: Page, url: str, experiment: str, sweep: str) -> None:
    """Graph 1.A as the interface shows it."""
    page.goto(f"{url}/#/experiments/{experiment}/runs/{sweep}/artifacts/figures/graph_1a.png")
    page.wait_for_function("[...document.images].some(image => image.naturalWidth > 500)")
    page.wait_for_timeout(SETTLE_MS)


if __name__ == "__main__":
    main()
