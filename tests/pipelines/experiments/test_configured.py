"""The experiments of the configuration and of the docs: every parameter that they change exists and is in bounds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from kedro.config import OmegaConfigLoader
from kedro.io.core import is_parameter

from sparkify_kedro.framework.variants import Variant
from sparkify_kedro.pipeline_registry import register_pipelines
from sparkify_kedro.pipelines.experiments.parameters import Experiments

PROJECT = Path(__file__).parents[3]
PARAMETERS = OmegaConfigLoader(str(PROJECT / "conf"), base_env="base", default_run_env="base")["parameters"]
PAGE = (PROJECT / "docs/experiments.md").read_text()
OWN = PROJECT / "docs/extending/experiment.md"
(NODE,) = (node for node in register_pipelines()["experiments"].nodes if node.name == "run_experiments")


def value_of(name: str) -> Any:
    found: Any = PARAMETERS
    for part in name.removeprefix("params:").split("."):
        found = found[part]
    return found


DATA = {name: value_of(name) if is_parameter(name) else None for name in NODE.inputs if name != "run_so_far"}


def variants(experiments: Experiments) -> Mapping[str, Variant]:
    make: Any = NODE.func.keywords["make_variant"]  # type: ignore[attr-defined]  # bound, see pipeline.py
    return {
        name: make(experiments.algorithm_of(name), DATA, each.parameters) for name, each in experiments.variants.items()
    }


def test_every_configured_variant_can_be_run_and_differs_from_the_others() -> None:
    experiments = Experiments.model_validate(PARAMETERS["experiments"])
    made = variants(experiments)
    assert len(made) > 25
    assert len({each.fingerprint for each in made.values()}) == len(made)
    assert experiments.to_run() == list(made)


def test_the_example_of_the_docs_is_one() -> None:
    (block,) = re.findall(r"```yaml\n(experiments:.*?)```", OWN.read_text(), flags=re.DOTALL)
    own = yaml.safe_load(block)["experiments"]["variants"]
    configured = PARAMETERS["experiments"]
    experiments = Experiments.model_validate(configured | {"variants": configured["variants"] | own})
    made = variants(experiments)
    assert made["shallow_trees"].fingerprint != made["trees"].fingerprint == made["gradient_boosted_trees"].fingerprint
    assert experiments.compared_with("shallow_trees") == "trees"


@pytest.mark.parametrize("name", ["experiment_table", "experiment_figure", "experiment_scores", "experiment_results"])
def test_the_datasets_of_the_docs_are_outputs(name: str) -> None:
    assert f"`{name}`" in PAGE
    assert name in register_pipelines()["experiments"].all_outputs()
