"""Typed parameters of modeling; those of training and evaluation are in ``sparkify_kedro.learning``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sparkify_kedro.framework.parameters import ParameterBlock


class LeakAudit(ParameterBlock):
    """The limit above which a single feature is suspected to leak the label."""

    levels: int = Field(ge=2, le=100, description="levels that a one-feature model cuts a feature into")
    suspicious_auc_roc: float = Field(gt=0.5, le=1, description="AUC-ROC of a one-feature model from which it fails")


class SelectionRule(ParameterBlock):
    """How the champion of a label is selected and announced."""

    judged_on: Literal["test", "test_balanced"] = Field(description="the held-out rows the champion is announced with")
    prefer_simpler: bool = Field(description="whether the simplest of indistinguishable algorithms is the champion")
