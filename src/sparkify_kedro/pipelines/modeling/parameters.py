"""Typed, bounded parameters of modeling; those of fitting and judging are in ``sparkify_kedro.learning``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sparkify_kedro.framework.parameters import ParameterBlock


class LeakAudit(ParameterBlock):
    """When a single feature knows too much."""

    levels: int = Field(ge=2, le=100, description="levels that a one-feature model cuts a feature into")
    suspicious_auc_roc: float = Field(gt=0.5, le=1, description="AUC-ROC of a one-feature model from which it fails")


class SelectionRule(ParameterBlock):
    """How the algorithms of a label are compared."""

    judged_on: Literal["test", "test_balanced"] = Field(description="the held-out rows whose scores speak for a model")
    prefer_simpler: bool = Field(description="whether the simplest of algorithms that cannot be told apart is champion")
