"""The README's pictures, from the newest report and flowchart: ``make pictures``. Needs chromium on the machine."""

from __future__ import annotations

import functools
import http.server
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

PROJECT = Path(__file__).parents[1]
PICTURES = PROJECT / "docs" / "images"
LARGEST = 300_000


def newest_report() -> Path:
    """The newest version of the page."""
    versions = sorted((PROJECT / "data/08_reporting/report").glob("*/report.html"))
    if not versions:
        sys.exit("There is no report yet: make run.")
    return versions[-1]


def picture_report(browser: Browser) -> None:
    """The answer on the page, as far as a screen goes, and one figure."""
    page = browser.new_page(viewport={"width": 1180, "height": 850})
    page.goto(newest_report().as_uri())
    page.wait_for_selector("body[data-drawn]")
    page.locator("#answer").evaluate("section => section.scrollIntoView({behavior: 'instant'})")
    page.screenshot(path=PICTURES / "report.png")
    page.locator("#models > figure").screenshot(path=PICTURES / "figure.png")
    for name, section in (("users", "#users"), ("label", "#will_churn_in_next_bin"), ("log", "#log")):
        top = page.locator(section).bounding_box()
        if top is not None:
            clip = {
                "x": 0,
                "y": top["y"] + page.evaluate("scrollY"),
                "width": 1180,
                "height": min(top["height"], 1_100),
            }
            page.screenshot(path=PICTURES / f"{name}.png", full_page=True, clip=clip)
    page.close()


def picture_flowchart(browser: Browser, site: Path) -> None:
    """The whole pipeline, labels folded."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    handler = functools.partial(Quiet, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page(viewport={"width": 1500, "height": 950}, color_scheme="light")
        wanted = "{showFeatureHints: false, theme: 'light', visible: {sidebar: false, miniMap: false, graph: true}}"
        page.add_init_script(f"localStorage.setItem('KedroViz', JSON.stringify({wanted}))")
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        page.wait_for_selector(".pipeline-node")
        page.wait_for_timeout(3_000)  # the chart comes to rest
        page.screenshot(path=PICTURES / "flowchart.png")
        page.close()
        server.shutdown()


def main() -> None:
    """Make all three, and see that none is too large for a repository."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("There is no chromium on the PATH to take pictures with.")
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        build = Path(folder) / "build"
        subprocess.run([sys.executable, "-m", "kedro", "viz", "build"], cwd=PROJECT, check=True)
        shutil.move(PROJECT / "build", build)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        picture_report(browser)
        picture_flowchart(browser, build)
        browser.close()
    for picture in sorted(PICTURES.glob("*.png")):
        size = picture.stat().st_size
        print(f"{picture.relative_to(PROJECT)}: {size / 1_000:.0f} kB")
        if size > LARGEST:
            sys.exit(f"{picture.name} is larger than {LARGEST / 1_000:.0f} kB")


if __name__ == "__main__":
    main()
