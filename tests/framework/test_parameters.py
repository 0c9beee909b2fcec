"""An invalid parameter is reported in one sentence, and the project's parameters are valid in every environment."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
from kedro.framework.context import KedroContext
from kedro.framework.session import KedroSession
from kedro.io.core import is_parameter
from kedro.pipeline import Node, Pipeline
from kedro.validation.exceptions import ModelInstantiationError, ParameterValidationError
from omegaconf import OmegaConf
from pydantic import Field, ValidationError, model_validator

from sparkify_kedro.framework.parameters import OneSentenceErrors, ParameterBlock, did_you_mean, unknown_parameters
from sparkify_kedro.pipeline_registry import register_pipelines

PROJECT = Path(__file__).parents[2]
PIPELINES = register_pipelines()


class Fold(ParameterBlock):
    """A block inside a block."""

    number: int = Field(ge=2, le=20)
    unit: Literal["user", "row"] = "user"


class Example(ParameterBlock):
    """A block with a bound, a block inside, and a rule over two keys."""

    days: int = Field(ge=1, strict=True)
    fold: Fold
    longest: int = 366

    @model_validator(mode="after")
    def _days_fit(self) -> Example:
        if self.days > self.longest:
            raise ValueError(f"days ({self.days}) must not exceed longest ({self.longest})")
        return self


GOOD: dict[str, Any] = {"days": 14, "fold": {"number": 2}}


def test_a_valid_block_is_built() -> None:
    block = Example.model_validate(GOOD)
    assert (block.days, block.fold.number, block.fold.unit) == (14, 2, "user")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({**GOOD, "days": 0}, "days should be greater than or equal to 1 (it is 0)"),
        ({**GOOD, "days": "14"}, "days should be a valid integer (it is '14')"),
        ({**GOOD, "fold": {"number": 21}}, "fold.number should be less than or equal to 20 (it is 21)"),
        ({**GOOD, "fold": {"number": 2, "unit": "day"}}, "fold.unit should be 'user' or 'row' (it is 'day')"),
        ({**GOOD, "dayz": 7}, "dayz is not a known parameter (did you mean 'days'?)"),
        ({**GOOD, "banana": 7}, "banana is not a known parameter"),
        ({**GOOD, "fold": {"number": 2, "units": "row"}}, "fold.units is not a known parameter (did you mean 'unit'?)"),
        ({**GOOD, "fold": 3}, "fold should be a block of parameters (it is 3)"),
        ({"fold": {"number": 2}}, "days is missing"),
        ({"days": 14, "fold": {}}, "fold.number is missing"),
        ({**GOOD, "longest": 7}, "days (14) must not exceed longest (7)"),
        ({"days": 0, "dayz": 7}, "days should be greater than or equal to 1 (it is 0); fold is missing; dayz is not"),
    ],
)
def test_wrong_values_are_one_sentence_that_names_the_key(values: dict[str, Any], expected: str) -> None:
    with pytest.raises(ModelInstantiationError) as caught:
        Example.model_validate(values)
    assert str(caught.value).startswith(expected)
    assert "\n" not in str(caught.value)


CONFIGURED = {"seed": 1, "sampling": {"split": {"folds": 2}, "labels": {"soon": {"keep": 0.5}}}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"seed": 2, "sampling": {"split": {"folds": 3}}}, []),
        ({"sed": 2}, ["sed is not a known parameter: did you mean 'seed'?"]),
        ({"banana": 2}, ["banana is not a known parameter: known are sampling, seed."]),
        ({"sampling": {"lables": {}}}, ["sampling.lables is not a known parameter: did you mean 'labels'?"]),
        ({"sampling": {"labels": {"son": {}}}}, ["sampling.labels.son is not a known parameter: did you mean 'soon'?"]),
        # What a block has within, it knows itself.
        ({"sampling": {"split": {"banana": 3}, "labels": {"soon": {"banana": 1}}}}, []),
        (
            {"sampling": {"split": {"folds": {}}}},
            ["sampling.split.folds is an empty block, which has no effect: name"],
        ),
        ({"sampling": {"split": {}}}, ["sampling.split is an empty block, which has no effect: name"]),
        ({"sampling": 3}, ["sampling is a block, not a value."]),
        ({"seed": {"a": 1}}, ["seed is a value, not a block."]),
    ],
)
def test_unknown_parameters_are_reported(given: dict[str, Any], expected: list[str]) -> None:
    sentences = list(unknown_parameters(given, CONFIGURED, {"sampling.split", "sampling.labels.soon"}))
    assert [sentence.startswith(begin) for sentence, begin in zip(sentences, expected, strict=True)] == [True] * len(
        expected
    )


def test_a_long_list_of_names_is_truncated() -> None:
    assert did_you_mean("x", map(str, range(100))) == "it is not among 100 known names."


def test_a_block_is_frozen() -> None:
    block = Example.model_validate(GOOD)
    with pytest.raises(ValidationError, match="frozen"):
        block.days = 7


def context(env: str, runtime_params: dict[str, Any] | None = None) -> KedroContext:
    with KedroSession.create(project_path=PROJECT, env=env, runtime_params=runtime_params) as session:
        return session.load_context()


@cache
def loaded_parameters(env: str) -> dict[str, Any]:
    """The parameters that any node takes, as the catalog loads them."""
    catalog = context(env).catalog
    everywhere = set().union(*(pipeline.inputs() for pipeline in PIPELINES.values()))
    return {name: catalog.load(name) for name in everywhere if is_parameter(name)}


def untyped_parameters(pipeline: Pipeline, loaded: dict[str, Any]) -> list[str]:
    """The parameters that no node takes as a bounded block, nor as one value of a block that a node takes whole."""
    taken = sorted(name for name in pipeline.inputs() if is_parameter(name))
    bounded = tuple(f"{name}." for name, value in loaded.items() if isinstance(value, OneSentenceErrors))
    return [name for name in taken if not isinstance(loaded[name], OneSentenceErrors) and not name.startswith(bounded)]


@pytest.mark.parametrize("env", ["base", "original"])
@pytest.mark.parametrize("name", sorted(PIPELINES))
def test_every_block_of_every_pipeline_loads(env: str, name: str) -> None:
    """As the block that the node asks for: Kedro builds blocks only of nodes that say so in their signature."""
    loaded = loaded_parameters(env)
    assert loaded
    assert untyped_parameters(PIPELINES[name], loaded) == []


def test_a_parameter_without_a_model_is_detected() -> None:
    pipeline = PIPELINES["feature_engineering"]
    assert untyped_parameters(pipeline, {"params:feature_engineering": {"time_bin_days": 14}}) == [
        "params:feature_engineering"
    ]
    label = "params:sampling.labels.will_churn_soon.label"
    alone = Pipeline([Node(func=len, inputs=label, outputs="length", name="measure")])
    assert untyped_parameters(alone, {label: "will_churn_soon"}) == [label]


def test_the_original_environment_overrides_parameters() -> None:
    """The overrides reach the blocks, and what they leave out is base's."""
    base, original = loaded_parameters("base"), loaded_parameters("original")
    split = original["params:sampling.split"]

    assert (split.hold_out.unit, split.folds.unit) == ("row", "row")
    assert base["params:sampling.split"].hold_out.unit == "user"
    assert split.hold_out.share == base["params:sampling.split"].hold_out.share
    assert original["params:modeling.selection_rule"].judged_on == "test_balanced"
    assert original["params:sampling.labels.will_churn_in_next_bin"].at_risk_only is False
    assert original["params:modeling.training"].seed == split.seed != base["params:sampling.split"].seed


INVALID: list[tuple[dict[str, Any], str]] = [
    ({"ingestion": {"columns": {"ts": {"between_days": ["2019-01-01", "2018-01-01"]}}}}, r"ts between_days must"),
    ({"ingestion": {"columns": {"page": {"if_unknown": "ignore"}}}}, r"columns.page.if_unknown should be 'warn', "),
    ({"ingestion": {"max_rejected_share": 5}}, r"max_rejected_share should be less .* \(it is 5\)"),
    ({"feature_engineering": {"time_bin_days": 0}}, r"time_bin_days should be greater .* \(it is 0\)"),
    ({"feature_engineering": {"time_bin_days": 13.5}}, r"time_bin_days should be a valid integer"),
    ({"sampling": {"split": {"folds": {"number": 1}}}}, r"folds.number should be greater .* \(it is 1\)"),
    ({"sampling": {"split": {"hold_out": {"share": 1}}}}, r"hold_out.share should be less .* \(it is 1\)"),
    ({"sampling": {"labels": {"will_churn_soon": {"at_risk_only": "alive"}}}}, r"at_risk_only should be"),
    ({"modeling": {"training": {"parallel": 4}}}, r"parallel is not a known parameter"),
    ({"modeling": {"random_forest": {"algorithm": "forest"}}}, r"algorithm 'forest' is not known"),
    (
        {"modeling": {"random_forest": {"settings": {"numTree": 3}}}},
        r"no setting 'numTree': did you mean 'numTrees'",
    ),
    ({"modeling": {"random_forest": {"grid": {"maxDepth": []}}}}, r"grid.maxDepth should have at least 1 item"),
    ({"modeling": {"evaluation": {"replicates": 5}}}, r"replicates should be greater .* \(it is 5\)"),
    ({"modeling": {"leak_audit": {"suspicious_auc_roc": 0.4}}}, r"suspicious_auc_roc should be greater"),
    ({"scoring": {"users_at_risk": {"probability": 0.2}}}, r"takes either top or probability"),
    ({"feature_engineering": {"as_of": "tomorrow"}}, r"as_of should be a valid date"),
    ({"feature_engineering": {"stride_days": 15}}, r"stride_days must not be longer than time_bin_days"),
    (
        {"feature_engineering": {"anchor": "registration", "stride_days": 7}},
        r"stride_days must be null or time_bin_days",
    ),
    (
        {"feature_engineering": {"labels": {"will_churn_soon": {"in_window": False, "horizon_days": 0}}}},
        r"labels.will_churn_soon needs in_window: true or a horizon",
    ),
    ({"backtest": {"landmarks": 0}}, r"landmarks should be greater"),
    ({"modeling": {"selection_rule": {"judged_on": "train"}}}, r"judged_on should be 'test' or 'test_balanced'"),
    ({"simulation": {"users": 0}}, r"users should be greater .* \(it is 0\)"),
    ({"simulation": {"end": "2018-09-30"}}, r"simulation.end \(2018-09-30\) must come after simulation.start"),
]


def block_of(parameters: dict[str, Any]) -> tuple[str, ...]:
    """The block that a node takes: the whole of a pipeline, or a part of it."""
    ((name, values),) = parameters.items()
    return (name, *values) if name in ("modeling", "sampling") else (name,)


def rounds(cases: list[tuple[dict[str, Any], str]]) -> list[list[tuple[dict[str, Any], str]]]:
    """Cases that can be given together, because each is wrong in a block of its own."""
    grouped: list[list[tuple[dict[str, Any], str]]] = []
    for case in cases:
        free = (one for one in grouped if block_of(case[0]) not in [block_of(other[0]) for other in one])
        found = next(free, None)
        if found is None:
            grouped.append([case])
        else:
            found.append(case)
    return grouped


@pytest.mark.parametrize("cases", rounds(INVALID))
def test_invalid_project_parameters_are_reported_before_the_run(cases: list[tuple[dict[str, Any], str]]) -> None:
    """All at once, a line each."""
    given = OmegaConf.to_container(OmegaConf.merge(*(parameters for parameters, _ in cases)))
    with pytest.raises(ParameterValidationError) as caught:
        _ = context("base", given).catalog
    for _, expected in cases:
        assert re.search(expected, str(caught.value))
    assert len(str(caught.value).splitlines()) == 1 + len(cases)
