"""Reasons why a user is at risk: what contributes most to the score, in words, beside what is usual."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.churn.feature_registry import FeatureRegistry, ReasonThemes, Theme
from sparkify_kedro.churn.reports import ChampionMetadata

from .latent import contributions

# percentile_approx is exact below this many distinct values.
_ACCURACY = 10_000

# A contribution that is only rounding.
_NOTHING = 1e-12
# A category that so many share.
_USUAL = 0.5

# By theme: the median of the column it tells, or the share of users by category.
Usual = Mapping[str, float | Mapping[str, float]]


def usual_values(rows: DataFrame, themes: ReasonThemes) -> Usual:
    """What is usual among all scored users, of the column that each theme tells; in one pass.

    Args:
        rows: one row per user.
        themes: a theme whose column the rows lack is left out.

    Returns:
        By theme, the median, or the share of the users by category. Collects a number for each.
    """
    told = {name: theme for name, theme in themes.told().items() if theme.tells in rows.columns}
    columns = [
        F.percentile_approx(F.col(str(theme.tells)).cast("double"), 0.5, _ACCURACY).alias(name)
        if not theme.names
        else F.struct(
            *(
                F.avg((F.col(str(theme.tells)).cast("string") == value).cast("int")).alias(value)
                for value in theme.names
            )
        ).alias(name)
        for name, theme in told.items()
    ]
    found = rows.agg(*columns).collect()[0].asDict(recursive=True) if columns else {}
    shares = {name: value for name, value in found.items() if isinstance(value, dict) and None not in value.values()}
    return {name: value for name, value in found.items() if isinstance(value, float)} | shares


def with_reasons(  # noqa: PLR0913, PLR0917 - as ``strongest_reasons``
    chosen: DataFrame,
    rows: DataFrame,
    champion: PipelineModel,
    metadata: ChampionMetadata,
    registry: FeatureRegistry,
    themes: ReasonThemes,
    most: int,
) -> pd.DataFrame:
    """Some users, by rank, with the strongest reasons for their score.

    Args:
        chosen: one row per user, with ``rank``.
        rows: the rows that were scored, of these users and all others.
        champion: as ``strongest_reasons``; so are the others.
        metadata: the same.
        registry: the same.
        themes: the same.
        most: reasons per user.

    Returns:
        The columns of ``chosen`` and those of ``strongest_reasons``. Collects the chosen users.
    """
    table = chosen.join(rows, on="user_id", how="inner").orderBy("rank").toPandas()
    reasons = strongest_reasons(table, usual_values(rows, themes), champion, metadata, registry, themes, most)
    return table[chosen.columns].join(reasons)


def strongest_reasons(  # noqa: PLR0913, PLR0917 - a score, and all that its words are made of
    rows: pd.DataFrame,
    usual: Usual,
    champion: PipelineModel,
    metadata: ChampionMetadata,
    registry: FeatureRegistry,
    themes: ReasonThemes,
    most: int,
) -> pd.DataFrame:
    """The themes whose features contribute most, together, to each row's margin.

    Args:
        rows: one row per user, with the champion's features and the columns that the themes tell.
        usual: what is usual among all scored users.
        champion: the model: assembled features, a classifier, and the calibration.
        metadata: its features, and their profile.
        registry: the definitions of the features.
        themes: which features count together, and in which words.
        most: reasons per user.

    Returns:
        Columns ``reason_1``, ``reason_2``, …, the strongest first, such as "27 adverts in the last 14 days; half of all
        users have at most 6 (raises the risk)" (of an upgrade: "the chance"); empty where fewer themes contribute. What
        is usual is no reason.
    """
    features, profile = metadata.features, metadata.profile
    values = rows[features].to_numpy(dtype=float)
    means = np.array([profile[name].mean for name in features])
    of_feature = contributions(champion, metadata.algorithm, values, means)
    theme_of = [themes.of_feature(name) for name in features]
    told = [name for name, theme in themes.told().items() if name in theme_of and name in usual]
    added = np.array([of_feature[:, [each == name for each in theme_of]].sum(axis=1) for name in told]).T
    added = added.reshape(len(rows), len(told))
    strongest = np.argsort(-np.abs(added), axis=1, kind="stable")
    words = _Words(registry, metadata)

    def reasons(row: int) -> Iterator[str]:
        for column in strongest[row]:
            theme = themes.root[told[column]]
            text = words.reason(theme, rows[theme.tells].iloc[row], usual[told[column]], added[row, column])
            if text:
                yield text

    names = [f"reason_{number}" for number in range(1, most + 1)]
    listed = [dict(zip(names, reasons(row), strict=False)) for row in range(len(rows))]
    return pd.DataFrame(listed, index=rows.index, columns=names).fillna("")


class _Words:
    """Puts reasons into words."""

    def __init__(self, registry: FeatureRegistry, metadata: ChampionMetadata) -> None:
        self._registry, self._event = registry, metadata.of_label.get("event")
        self._times = {"days": metadata.feature_engineering["time_bin_days"], "horizon": metadata.horizon_days}

    def reason(self, theme: Theme, value: object, usual: float | Mapping[str, float], contribution: float) -> str:
        """The value, what is usual, and the direction of the effect; empty where it has none or is usual."""
        raises, outcome = bool(contribution > 0), "chance" if self._event == "upgrade" else "risk"
        if isinstance(usual, Mapping):
            said = self._category(theme, value, usual)
        else:
            own = float(str(value))
            contradicts = theme.is_a_risk and self._event == "cancellation" and raises is not (own > usual)
            said = "" if contradicts else self._number(theme, own, usual)
        if not said or abs(contribution) < _NOTHING:
            return ""
        return f"{said} ({'raises' if raises else 'lowers'} the {outcome})"

    def _category(self, theme: Theme, value: object, shares: Mapping[str, float]) -> str:
        key = str(int(value)) if isinstance(value, (int, float, np.number)) else str(value)
        share = shares.get(key, 0.0)
        return "" if share >= _USUAL else f"{theme.names.get(key, key)}, like {share:.0%} of all users"

    def _number(self, theme: Theme, own: float, median: float) -> str:
        text, middle = self._text(theme, own), self._text(theme, median)
        if text == middle:
            return ""
        side = "at most" if own >= median else "at least"
        usual = "none" if middle == "0" and self._unit(theme) != "days" else f"{side} {middle}"
        says = str(theme.says).format(value=text, s="" if text == "1" else "s", **self._times)
        return f"{says}; {str(theme.usual).format(median=usual)}"

    def _text(self, theme: Theme, value: float) -> str:
        """Three digits at most, without exponents, in the unit of the feature; odds as a probability."""
        feature, unit = self._registry.features.get(str(theme.tells)), self._unit(theme)
        natural = value if feature is None else feature.natural(value)
        if unit == "odds":
            return f"{natural / (1 + natural):.1%}"
        return f"{natural:,.0f}" if unit == "days" or abs(natural) >= 999.5 else f"{natural:.3g}"

    def _unit(self, theme: Theme) -> str:
        feature = self._registry.features.get(str(theme.tells))
        return "" if feature is None else feature.unit
