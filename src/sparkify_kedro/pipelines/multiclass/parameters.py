"""Typed parameters of models of several classes."""

from __future__ import annotations

from pydantic import Field

from sparkify_kedro.framework.parameters import ParameterBlock


class Multiclass(ParameterBlock):
    """How models of several classes are calibrated."""

    calibration_reg_param: float = Field(ge=0, description="regParam of the calibration, a multinomial regression")
