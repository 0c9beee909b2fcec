"""Typed, bounded parameters of the report."""

from __future__ import annotations

from pydantic import Field

from sparkify_kedro.framework.parameters import ParameterBlock

Scores = dict[str, dict[str, float]]


class Published(ParameterBlock):
    """AUC-PR published by others for this method, by label and algorithm."""

    original: Scores = Field(description="by label and algorithm, as first published")
    rerun: Scores = Field(description="by label and algorithm, as published by a rerun")


class Reporting(ParameterBlock):
    """The size of tables and figures in the report, and published results for comparison."""

    pages: int = Field(ge=1, le=100, description="most visited pages in the figure of visits")
    songs: int = Field(ge=1, le=100, description="songs in the list of most played songs")
    tenure_bins: int = Field(ge=2, le=200, description="bins since registration; the last one includes all later bins")
    features: int = Field(ge=1, le=50, description="most important features shown per model")
    users_at_risk: int = Field(ge=0, le=1_000, description="users at risk in the report; the CSV file has all")
    published: Published
