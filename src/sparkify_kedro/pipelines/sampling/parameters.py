"""Typed parameters of sampling; the split is in ``sparkify_kedro.churn.parameters``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sparkify_kedro.framework.parameters import ParameterBlock

Share = Annotated[float, Field(gt=0, le=1)]


class LabelSampling(ParameterBlock):
    """Settings of one label, which is the key of the block in ``sampling.labels``."""

    at_risk_only: bool = Field(description="whether rows of users who have cancelled are left out")
    keep_negatives: Share
    keep_negatives_of_original: Share = Field(description="share of negatives that the original kept")
