"""The reasons of scored users: contributions by the champion, and what is usual among all of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkify_kedro.churn import reasons
from sparkify_kedro.churn.feature_registry import FeatureRegistry, ReasonThemes
from sparkify_kedro.churn.reasons import Usual
from sparkify_kedro.churn.reports import ChampionMetadata

from .latent import contributions

# percentile_approx is exact below this many distinct values.
_ACCURACY = 10_000


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
    found = strongest_reasons(table, usual_values(rows, themes), champion, metadata, registry, themes, most)
    return table[chosen.columns].join(found)


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
    means = np.array([profile[name].mean for name in features])
    added = contributions(champion, metadata.algorithm, rows[features].to_numpy(dtype=float), means)
    columns = {str(name): values.tolist() for name, values in rows.items()}
    found = reasons.strongest_reasons(added, columns, usual, metadata, registry, themes, most)
    names = [f"reason_{number}" for number in range(1, most + 1)]
    listed = [dict(zip(names, texts, strict=False)) for texts in found]
    return pd.DataFrame(listed, index=rows.index, columns=names).fillna("")
