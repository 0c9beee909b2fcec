"""Typed, bounded parameters of the report."""

from __future__ import annotations

from pydantic import Field

from sparkify_kedro.framework.parameters import ParameterBlock

Scores = dict[str, dict[str, float]]


class Published(ParameterBlock):
    """AUC-PR that others have published of this recipe, by label and algorithm."""

    original: Scores
    rerun: Scores


class Reporting(ParameterBlock):
    """How much the report shows."""

    pages: int = Field(ge=1, le=100, description="pages in the figure of visits, the most visited first")
    songs: int = Field(ge=1, le=100, description="songs in the list of those played most often")
    tenure_bins: int = Field(ge=2, le=200, description="bins since registration; the last holds all later ones")
    features: int = Field(ge=1, le=50, description="features a model is shown with, the strongest first")
    users_at_risk: int = Field(ge=0, le=1_000, description="users at risk on the page; the CSV file has all")
    published: Published
