"""Typed parameters of sampling."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sparkify_kedro.framework.parameters import ParameterBlock

Unit = Literal["user", "row"]
Share = Annotated[float, Field(gt=0, le=1)]


class HoldOut(ParameterBlock):
    """The rows that are held out for evaluation."""

    share: float = Field(gt=0, lt=1)
    unit: Unit


class Folds(ParameterBlock):
    """The folds of cross-validation."""

    number: int = Field(ge=2, le=20)
    unit: Unit


class Split(ParameterBlock):
    """Settings that all labels share."""

    seed: int
    hold_out: HoldOut
    folds: Folds


class LabelSampling(ParameterBlock):
    """Settings of one label, which is the key of the block in ``sampling.labels``."""

    at_risk_only: bool = Field(description="whether rows of users who have cancelled are left out")
    keep_negatives: Share
    keep_negatives_of_original: Share = Field(description="share of negatives that the original kept")
