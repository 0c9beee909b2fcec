"""Typed, bounded parameters of sampling."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sparkify_kedro.framework.parameters import ParameterBlock

Unit = Literal["user", "row"]
Flag = Literal["at_risk", "next_bin_observed"]
Share = Annotated[float, Field(gt=0, le=1)]


class HoldOut(ParameterBlock):
    """Which rows are kept away from training, to judge by."""

    share: float = Field(gt=0, lt=1)
    unit: Unit


class Folds(ParameterBlock):
    """How training rows are split for cross-validation."""

    number: int = Field(ge=2, le=20)
    unit: Unit


class Split(ParameterBlock):
    """What is the same for every label."""

    seed: int
    hold_out: HoldOut
    folds: Folds


class LabelSampling(ParameterBlock):
    """What is a label's own."""

    label: str = Field(min_length=1)
    requires: list[Flag] = Field(description="flags that a row needs to be trained on or judged by")
    keep_negatives: Share
    keep_negatives_of_original: Share = Field(description="for test_balanced, and for rows as the original took them")
