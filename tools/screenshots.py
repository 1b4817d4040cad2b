"""Pictures of a finished sweep or study in MLflow's user interface, in a headless Chromium.

    python tools/screenshots.py --backend-store-uri sqlite:///mlflow.db --sweep RUN_ID --folder docs
    python tools/screenshots.py --backend-store-uri sqlite:///mlflow.db --study RUN_ID --folder docs

Starts `mlflow ui` on the store, and fails where the interface does not show what it should: the
sweep with its cells nested, the cells side by side, and Graph 1.A among the artifacts; the study
with its trials nested, the trials sorted by utility, and their parallel coordinates.
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
from urllib.parse import quote

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
    run = client.get_run(sweep)
    experiment = run.info.experiment_id
    cells = children(client, experiment, sweep)
    compared = [cell.info.run_id for cell in cells if cell.data.params["retrieval_cost"] == "0.02"]
    nested(page, url, run, cells)
    page.screenshot(path=folder / "mlflow_sweep.png", clip=SHOWN)
    side_by_side(page, url, experiment, compared)
    page.screenshot(path=folder / "mlflow_compare.png", clip=SHOWN)
    artifact(page, url, experiment, sweep)
    page.screenshot(path=folder / "mlflow_graph_1a.png", clip=SHOWN)


def picture_study(page: Page, url: str, client: MlflowClient, study: str, folder: Path) -> None:
    run = client.get_run(study)
    experiment = run.info.experiment_id
    found = children(client, experiment, study)
    trials = [child for child in found if child.data.tags[KIND] == "trial"]
    nested(page, url, run, found)
    page.screenshot(path=folder / "mlflow_study.png", clip=SHOWN)
    by_utility(page, url, experiment, study)
    best = max(trials, key=lambda trial: trial.data.metrics.get("utility", float("-inf")))
    page.get_by_text(best.info.run_name, exact=True).first.wait_for()
    page.screenshot(path=folder / "mlflow_trials.png", clip=SHOWN)
    side_by_side(page, url, experiment, [trial.info.run_id for trial in trials])
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


def nested(page: Page, url: str, parent: Run, below: list[Run]) -> None:
    """The runs of the experiment, those ``below`` the ``parent`` under it."""
    page.goto(f"{url}/#/experiments/{parent.info.experiment_id}/runs")
    shown = parent.info.run_name
    row = page.locator("[role=row]", has=page.locator(f"a[href*='{parent.info.run_id}']"))
    page.get_by_text(shown).first.wait_for()
    row.first.locator("button, svg").first.click()
    newest = max(below, key=lambda run: run.info.start_time)
    page.get_by_text(newest.info.run_name, exact=True).first.wait_for()
    page.wait_for_timeout(SETTLE_MS)


def by_utility(page: Page, url: str, experiment: str, parent: str) -> None:
    """The runs below ``parent``, the best first, with their utility."""
    wanted = quote(f"tags.`mlflow.parentRunId` = '{parent}' and tags.`{KIND}` = 'trial'")
    order = "orderByKey=metrics.%60utility%60&orderByAsc=false"
    page.goto(f"{url}/#/experiments/{experiment}/runs?searchFilter={wanted}&{order}")
    page.get_by_role("button", name="Columns").click()
    page.get_by_placeholder("Search columns").fill("utility")
    page.get_by_text("Metrics (1)").wait_for()
    page.locator("[class*=tree-checkbox]").first.click()
    page.keyboard.press("Escape")
    page.wait_for_timeout(SETTLE_MS)
    page.evaluate(
        "document.querySelectorAll('.ag-center-cols-viewport, .ag-body-horizontal-scroll-viewport')"
        ".forEach(part => part.scrollLeft = part.scrollWidth)"
    )
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
    # Where the artifacts are on this machine is nobody else's concern.
    page.get_by_text("Path: ").first.evaluate("line => line.style.visibility = 'hidden'")
    page.wait_for_timeout(SETTLE_MS)


if __name__ == "__main__":
    main()
