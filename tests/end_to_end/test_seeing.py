"""The report in a browser, kedro viz and the notebooks, after a real run on a small log."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from kedro.framework.project import configure_project
from playwright.sync_api import Browser, Page, sync_playwright

if TYPE_CHECKING:
    from conftest import Project

PROJECT = Path(__file__).parents[2]
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MARKUP = "<script>document.title = 'run'</script>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's own chromium, without a screen."""
    if CHROMIUM is None:
        pytest.skip("no chromium is installed on this machine: pages cannot be looked at")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


# The report


@pytest.fixture(scope="module")
def report(small_project: Project) -> Path:
    (path,) = (small_project.folder / "data/08_reporting/report").glob("*/report.html")
    return path


@pytest.fixture(scope="module")
def page(browser: Browser, report: Path) -> Iterator[Page]:
    """The report from disk, as on a machine without a network; what goes wrong on it fails the test that comes next."""
    context = browser.new_context(offline=True, color_scheme="light")
    page = context.new_page()
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("console", lambda message: page.wrong.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: page.wrong.append(request.url) if request.url.startswith("http") else None)
    page.goto(report.as_uri())
    page.wait_for_selector("body[data-drawn]", timeout=60_000)
    yield page
    context.close()


def test_the_run_prints_the_path_of_the_report(first_run: str, report: Path) -> None:
    (line,) = [line for line in first_run.splitlines() if line.startswith("The report: ")]
    assert line.endswith(f"/data/08_reporting/report/{report.parent.name}/report.html")
    assert report.stat().st_size < 8_000_000


def test_every_figure_is_drawn_without_a_network_or_an_error(page: Page) -> None:
    plots = page.locator(".plot").count()
    assert plots == 6 + 1 + 3 * 8 + 1 + 1 + 1
    assert page.locator(".plot .main-svg").count() >= 2 * plots
    assert page.locator("figcaption").count() == plots
    # Plotly's toolbar would cover them.
    assert page.locator(".modebar-btn").count() == 0
    assert page.wrong == []


def test_the_page_describes_the_run(page: Page, small_project: Project) -> None:
    words = page.inner_text("body")
    account = small_project.report("ingestion_report.json")
    assert f"{account['events']:,} events of {account['users']:,} users" in words
    assert "data/01_raw/log" in words
    comparison = small_project.report("will_churn_soon", "comparison.json")
    test = comparison["algorithms"][comparison["champion"]]["test"]
    low, high = test["average_precision_interval"]
    assert f"95 % interval {low:.2f} to {high:.2f}; prevalence {test['prevalence']:.2f}" in words
    stages = page.locator("#run > .scroll tbody td:first-child").all_inner_texts()
    before = ["ingestion", "feature engineering", "user types", "sampling", "modeling"]
    assert stages == [*before, "scoring", "decision", "monitoring", "reporting"]


def test_song_titles_are_shown_as_text(page: Page) -> None:
    assert page.locator("#log td").first.inner_text() == MARKUP
    assert page.title() != "run"


def test_the_page_supports_dark_mode(page: Page) -> None:
    def colors() -> tuple[str, str]:
        page.wait_for_timeout(300)
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return background, page.locator(".plot .xtick text").first.evaluate("e => getComputedStyle(e).fill")

    light = colors()
    page.emulate_media(color_scheme="dark")
    dark = colors()
    page.emulate_media(color_scheme="light")
    assert light[0] == "rgb(255, 255, 255)"
    assert dark[0] == "rgb(20, 24, 30)"
    assert light[1] != dark[1]
    assert colors() == light


def test_the_page_fits_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    # Figures follow the window a moment later.
    for _ in range(50):
        if page.evaluate("document.documentElement.scrollWidth") <= 390:
            break
        page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator(".plot .main-svg").first.bounding_box()["width"] <= 390
    page.set_viewport_size({"width": 1280, "height": 800})


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1280)])
def test_the_page_is_accessible(page: Page, scheme: Literal["light", "dark"], width: int) -> None:
    """By axe: contrast, landmarks, headings, names of what is drawn, keyboard."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    found = Axe().run(page).response["violations"]
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 800})
    assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found] == []


def test_the_page_prints(page: Page, tmp_path: Path) -> None:
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert (tmp_path / "report.pdf").stat().st_size > 100_000


def test_a_model_card_lies_beside_each_champion(small_project: Project) -> None:
    for card in (small_project.folder / "data/06_models").glob("*/champion/*/model_card.md"):
        metadata = json.loads(
            small_project.newest("06_models", card.parents[2].name, "champion_metadata.json").read_text()
        )
        assert (card.parent / "champion" / "_SUCCESS").exists()
        assert f"# {metadata['label']}: {metadata['algorithm'].replace('_', ' ')}" in card.read_text()
        assert f"`{card.parent.name}`" in card.read_text()
    assert len(list((small_project.folder / "data/06_models").glob("*/champion/*/model_card.md"))) == 3


# kedro viz


@pytest.fixture(scope="module")
def site(small_project: Project) -> Iterator[str]:
    """The static site, built on a machine without Java, and served on loopback."""
    built = subprocess.run(
        [sys.executable, "-m", "kedro", "viz", "build", "--include-previews"],
        cwd=small_project.folder,
        env=os.environ | {"COLUMNS": "200", "JAVA_HOME": "/nowhere", "PATH": str(Path(sys.executable).parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    output = built.stdout + built.stderr
    assert built.returncode == 0, output[-2_000:]
    assert "circular" not in output

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    handler = functools.partial(Quiet, directory=small_project.folder / "build")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def flowchart(browser: Browser, site: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1600, "height": 1000})
    page = context.new_page()
    page.add_init_script("localStorage.setItem('KedroViz', JSON.stringify({showFeatureHints: false}))")
    page.goto(site)
    page.wait_for_selector(".pipeline-node", timeout=60_000)
    yield page
    context.close()


def test_the_flowchart_draws_with_its_layers_in_order(flowchart: Page) -> None:
    flowchart.wait_for_timeout(1_000)
    layers = [name.inner_text() for name in flowchart.locator(".pipeline-layer-name").all()]
    assert layers == ["raw", "intermediate", "feature", "models", "model_output", "reporting"]
    names = flowchart.locator(".pipeline-node").all_text_contents()
    for folded in ("will_churn_in_next_bin", "will_churn_soon", "churned_in_time_bin", "log"):
        assert folded in names


def test_a_label_unfolds_into_its_algorithms(flowchart: Page) -> None:
    before = flowchart.locator(".pipeline-node").count()
    flowchart.locator(".pipeline-node", has_text=re.compile("^will_churn_soon$")).click()
    flowchart.locator(".pipeline-node", has_text="will_churn_soon.random_forest").first.wait_for()
    assert flowchart.locator(".pipeline-node").count() > before + 20


def choose(page: Page, name: str) -> None:
    page.get_by_placeholder("Search").fill(name)
    page.locator(".row-text", has_text=re.compile(f"^{name}$")).first.click()


def test_a_figure_and_a_table_preview(flowchart: Page) -> None:
    choose(flowchart, "all_models_figure")
    flowchart.wait_for_selector(".pipeline-metadata__preview .js-plotly-plot .main-svg")
    choose(flowchart, "user_time_bins")
    flowchart.wait_for_selector(".pipeline-metadata__preview td")
    assert "adverts_per_1000_songs_in_history" in flowchart.locator(".pipeline-metadata__preview").inner_text()


def test_the_exported_site_contains_no_rows_of_the_log(small_project: Project, site: str) -> None:
    """A site may be handed on; raw lines and events are not in it."""
    previews = [json.loads(file.read_text()) for file in (small_project.folder / "build/api/nodes").iterdir()]
    shown = [node for node in previews if node.get("preview")]
    assert len(shown) > 20
    assert not [node for node in shown if "user_agent" in json.dumps(node["preview"])]


# Notebooks


@pytest.fixture(scope="module")
def own_modules() -> Iterator[None]:
    """Kedro's IPython extension imports the package again: afterwards, its modules are those of the other tests."""
    before = {name: module for name, module in sys.modules.items() if name.startswith("sparkify_kedro")}
    yield
    for name in [name for name in sys.modules if name.startswith("sparkify_kedro")]:
        del sys.modules[name]
    sys.modules.update(before)
    configure_project("sparkify_kedro")


@pytest.fixture(scope="module")
def shell(small_project: Project, first_scores: dict[str, Any], own_modules: None) -> Iterator[InteractiveShell]:
    """IPython in this process, with the Spark of the tests, in a folder of the project."""
    folder = small_project.folder / "notebooks"
    folder.mkdir(exist_ok=True)
    with contextlib.chdir(folder):
        yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def cells_with_a_value(shell: InteractiveShell, name: str) -> int:
    """Run a notebook from top to bottom; the number of cells that end in a value."""
    count = 0
    shell.reset()
    shell.run_line_magic("reload_ext", "kedro.ipython")
    for cell in nbformat.read(PROJECT / f"notebooks/{name}.ipynb", as_version=4).cells:
        if cell.cell_type == "code":
            with capture_output() as captured:
                outcome = shell.run_cell(cell.source)
            outcome.raise_error()
            count += bool(captured.outputs) or outcome.result is not None
    return count


@pytest.mark.parametrize(
    ("name", "cells"), [("01_exploring_data", 7), pytest.param("02_sampling_test", 3, marks=pytest.mark.faults)]
)
def test_a_notebook_runs_from_top_to_bottom(shell: InteractiveShell, name: str, cells: int) -> None:
    """Its cells that end in a value, counted by hand."""
    assert cells_with_a_value(shell, name) == cells


def test_every_notebook_is_run() -> None:
    assert [path.stem for path in NOTEBOOKS] == [
        "01_exploring_data",
        "02_sampling_test",
        "03_run_modeling",
        "04_gbt_run",
    ]


@pytest.mark.faults
def test_the_models_that_a_notebook_trains_have_the_scores_of_the_run(
    small_project: Project, first_scores: dict[str, Any], shell: InteractiveShell
) -> None:
    """Training takes a minute."""
    assert cells_with_a_value(shell, "03_run_modeling") == 5
    assert cells_with_a_value(shell, "04_gbt_run") == 2
    versions = small_project.versions("06_models", "will_churn_in_next_bin", "random_forest", "model")
    assert len(versions) == 2
    assert small_project.scores() == first_scores
