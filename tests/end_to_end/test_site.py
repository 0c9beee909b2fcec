"""The documentation site: it builds without a broken link, and its reference is complete."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader

from test_docs import leaf_paths

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
# Nobody who installs the project may be forbidden to use it, or made to publish what they build with it.
FORBIDDING = re.compile(r"AGPL|Affero|SSPL|Business Source|Commons Clause|non-?commercial|proprietary", re.IGNORECASE)


@pytest.fixture(scope="module")
def committed() -> dict[str, str]:
    """The pages of the reference that are in git, before the site is built."""
    return {
        page: (DOCS / f"reference/{page}.md").read_text() for page in ("parameters", "datasets", "features", "http")
    }


@pytest.fixture(scope="module")
def site(committed: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site but for Python's modules, which take longer than all other pages."""
    return build(tmp_path_factory.mktemp("site"), "--tag=without_python")


def build(folder: Path, *options: str) -> Path:
    """As ``make docs`` does."""
    strict = ("--quiet", "--fail-on-warning", "--keep-going", "--builder", "html", "--doctree-dir", folder / "trees")
    command = [sys.executable, "-m", "sphinx", *strict, *options, DOCS, folder / "site"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    return folder / "site"


@pytest.mark.faults
def test_every_module_has_its_docstrings_in_the_reference(tmp_path: Path) -> None:
    site = build(tmp_path)
    pages = "".join(path.read_text() for path in (site / "reference/python").glob("*.html"))
    modules = {path.stem for path in (PROJECT / "src").rglob("*.py") if not path.stem.startswith("_")}
    assert {name for name in modules if f"<h2>{name}<" not in pages} == set()


@pytest.fixture(scope="module")
def configured() -> OmegaConfigLoader:
    return OmegaConfigLoader(
        str(PROJECT / "conf"), base_env="base", default_run_env="base", config_patterns={"catalog": ["catalog*"]}
    )


def reference(site: Path, page: str) -> str:
    """A page that was made from the code; the site has it, too."""
    assert (site / f"reference/{page}.html").stat().st_size > 1_000
    return (DOCS / f"reference/{page}.md").read_text()


def test_the_reference_in_git_is_current(site: Path, committed: dict[str, str]) -> None:
    """If not: make docs, and commit docs/reference."""
    now = {page: (DOCS / f"reference/{page}.md").read_text() for page in committed}
    assert [page for page, text in committed.items() if text != now[page]] == []


def test_every_parameter_is_in_the_reference(site: Path, configured: OmegaConfigLoader) -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", reference(site, "parameters"), flags=re.MULTILINE)
    patterns = [re.compile(re.sub(r"\\\{\w+\\\}", "[^.]+", re.escape(row)) + r"(\.|$)") for row in rows]
    elsewhere = {"feature_registry", "reason_themes"}
    values = {name: block for name, block in configured["parameters"].items() if name not in elsewhere}
    paths = leaf_paths(values)
    assert len(paths) > 150
    assert [path for path in paths if not any(pattern.match(path) for pattern in patterns)] == []


def test_a_parameter_has_its_type_default_bounds_and_meaning(site: Path) -> None:
    text = reference(site, "parameters")
    assert "| `serving.most_rows` | int | `1000` | at least 1 | in a request of POST /score |" in text
    assert [line for line in text.splitlines() if line.startswith("| `") and line.endswith("|  |")] == []


def test_every_dataset_is_in_the_reference(site: Path) -> None:
    text = reference(site, "datasets")
    entries: dict[str, Any] = OmegaConfigLoader(
        str(PROJECT / "conf"), base_env="base", default_run_env="base", runtime_params={}
    )["catalog"]
    names = {name for name, entry in entries.items() if name[0] != "_" and entry["type"] != "MemoryDataset"}
    assert len(names) > 80
    assert names - set(re.findall(r"^### `(.+)`$", text, flags=re.MULTILINE)) == set()
    assert "One row per (user_id). Columns: `user_id` string, `as_of` timestamp" in text


def test_every_feature_and_request_and_command_is_in_the_reference(site: Path, configured: OmegaConfigLoader) -> None:
    features = re.findall(r"^\| `(\w+)` \|", reference(site, "features"), flags=re.MULTILINE)
    themes = re.findall(r"^\| (\w+) \| `", reference(site, "features"), flags=re.MULTILINE)
    assert themes == list(configured["parameters"]["reason_themes"])
    assert features == list(configured["parameters"]["feature_registry"])
    requests = re.findall(r"^## ((?:GET|POST) .*)$", reference(site, "http"), flags=re.MULTILINE)
    assert requests == ["GET /users", "GET /users/{user_id}", "GET /model", "POST /score", "GET /health"]
    commands = re.findall(r"<h[34]>(\w+)<", (site / "reference/commands.html").read_text())
    assert {"run", "runs", "compare", "repeat", "clean", "logs", "inspect", "serve"} <= set(commands)


def test_every_package_has_a_license_that_allows_its_use(site: Path) -> None:
    rows = re.findall(r"^\| ([\w.-]+) \| [\w.+]+ \| (.*) \|$", reference(site, "licenses"), flags=re.MULTILINE)
    assert len(rows) > 150
    assert [row for row in rows if row[1] == "not stated" or FORBIDDING.search(row[1])] == []
