"""Reasons for a score in words: what contributes most, beside what is usual. No Spark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .feature_registry import FeatureRegistry, ReasonThemes, Theme
from .reports import ChampionMetadata

Array = npt.NDArray[Any]

# A contribution that is only rounding.
_NOTHING = 1e-12
# A category that so many share.
_USUAL = 0.5

# By theme: the median of the column it tells, or the share of users by category.
Usual = Mapping[str, float | Mapping[str, float]]


def usual_in(columns: Mapping[str, Sequence[Any]], themes: ReasonThemes) -> Usual:
    """What is usual among all scored users, as ``learning.reasons.usual_values`` has Spark find it.

    Args:
        columns: the values of the users by column. A theme whose column is missing is left out.
        themes: the themes.

    Returns:
        By theme, the median (the lower one of two), or the share of the users by category.
    """
    usual: dict[str, float | Mapping[str, float]] = {}
    for name, theme in themes.told().items():
        values = [value for value in columns.get(str(theme.tells), ()) if value is not None]
        if not values:
            continue
        if theme.names:
            texts = [str(value) for value in values]
            usual[name] = {value: texts.count(value) / len(texts) for value in theme.names}
        else:
            usual[name] = float(np.quantile(np.asarray(values, dtype=float), 0.5, method="inverted_cdf"))
    return usual


def strongest_reasons(  # noqa: PLR0913, PLR0917 - a score, and all that its words are made of
    added: Array,
    columns: Mapping[str, Sequence[Any]],
    usual: Usual,
    metadata: ChampionMetadata,
    registry: FeatureRegistry,
    themes: ReasonThemes,
    most: int,
) -> list[list[str]]:
    """The themes whose features contribute most, together, to each row's margin.

    Args:
        added: what each of the champion's features adds to the margin of each row (rows x features).
        columns: the values of the rows by column, of those that the themes tell.
        usual: what is usual among all scored users.
        metadata: the champion's label and features.
        registry: the definitions of the features.
        themes: which features count together, and in which words.
        most: reasons per row.

    Returns:
        Of each row, the reasons, the strongest first, such as "27 adverts in the last 14 days; half of all users have
        at most 6 (raises the risk)" (of an upgrade: "the chance"); fewer where fewer themes contribute. What is usual
        is no reason.
    """
    theme_of = [themes.of_feature(name) for name in metadata.features]
    told = [
        name
        for name, theme in themes.told().items()
        if name in theme_of and name in usual and str(theme.tells) in columns
    ]
    together = np.array([added[:, [each == name for each in theme_of]].sum(axis=1) for name in told]).T
    together = together.reshape(len(added), len(told))
    strongest = np.argsort(-np.abs(together), axis=1, kind="stable")
    words = _Words(registry, metadata)

    def reasons(row: int) -> Iterator[str]:
        for column in strongest[row]:
            theme = themes.root[told[column]]
            value = columns[str(theme.tells)][row]
            text = words.reason(theme, value, usual[told[column]], together[row, column])
            if text:
                yield text

    return [[text for text, _ in zip(reasons(row), range(most), strict=False)] for row in range(len(added))]


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
