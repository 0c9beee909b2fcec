"""The documentation site, by Sphinx: ``make docs``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS.parent / "src")]

from reference_pages import write_pages  # noqa: E402
from sparkify_kedro import __version__  # noqa: E402

project = author = "Sparkify churn"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]
toc_object_entries = add_module_names = False
highlight_language = "none"  # of commands and outputs
exclude_patterns = ["_build"]
if tags.has("without_python"):  # noqa: F821 - Sphinx gives it
    exclude_patterns.append("reference/python/sparkify_kedro.*.md")  # all packages but the outermost
html_theme = "furo"
html_title = f"Sparkify churn {release}"
html_copy_source = html_show_sphinx = False

napoleon_use_ivar = True  # attributes of named tuples are described once
myst_heading_anchors = 3
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
# In the environment of the tests they are there; the site is built without them, too.
autodoc_mock_imports = ["torch", "safetensors", "mlflow", "shap"]


def as_restructured_text(app: Sphinx, what: str, name: str, subject: object, options: object, lines: list[str]) -> None:
    """Docstrings have code blocks and links as in Markdown, like those of kedro-datasets."""
    text = "\n".join(lines)
    text = re.sub(
        r"^( *)```(\w+)\n(.*?)^ *```",
        lambda found: f"{found[1]}.. code-block:: {found[2]}\n\n" + re.sub("^", "   ", found[3], flags=re.MULTILINE),
        text,
        flags=re.MULTILINE | re.DOTALL,
    )
    lines[:] = re.sub(r"\[([^]]+)\]\((https[^)]+)\)", r"`\1 <\2>`__", text).split("\n")


def setup(app: Sphinx) -> None:
    """Before the pages are read, write those of the reference."""
    app.connect("builder-inited", lambda _: write_pages())
    app.connect("autodoc-process-docstring", as_restructured_text, priority=1)
