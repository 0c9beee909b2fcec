"""The champion with its metadata, and whether it can score given rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.ml import PipelineModel

from sparkify_kedro.churn.reports import ChampionMetadata
from sparkify_kedro.framework.nested import differences

# Parameters that decide which rows there are, not how a row is made.
_OF_ROWS = ("as_of", "stride_days", "min_history_days", "rows", "labels", "unobserved_is_no_churn")
# It adds features, and which ones a champion needs is known by their names.
_ADDS_FEATURES = "earlier_landmarks"


def check_champion(label: str, champion: PipelineModel, metadata: ChampionMetadata) -> None:
    """Check that the metadata describe the champion.

    Raises:
        ValueError: where the metadata belong to another label or another model.
    """
    if metadata.label != label:
        raise ValueError(
            f"{label}.champion_metadata describes a champion of {metadata.label}: train {label} again, with "
            f"kedro run --namespaces={label}"
        )
    if champion.uid != metadata.model:
        raise ValueError(
            f"{label}.champion and {label}.champion_metadata are from different runs: load the same version of "
            f"both, as in --load-versions={label}.champion:VERSION,{label}.champion_metadata:VERSION"
        )


def check_rows(metadata: ChampionMetadata, columns: Sequence[str], feature_engineering: Mapping[str, Any]) -> None:
    """Check that rows were made like the rows that a champion was trained on.

    Raises:
        ValueError: naming the features that are missing, or the parameters that differ.
    """
    missing = [name for name in metadata.features if name not in columns]
    if missing:
        raise ValueError(
            f"the champion of {metadata.label} was trained on {', '.join(missing)}, which the rows to score lack: "
            "train again with the present features"
        )
    trained, given = _of_features(metadata.feature_engineering), _of_features(feature_engineering)
    if found := sorted(differences(trained, given, "feature_engineering")):
        changes = ", ".join(f"{path} = {before}, not {now}" for path, (before, now) in found)
        raise ValueError(
            f"the champion of {metadata.label} was trained with {changes}: score with the parameters of the training, "
            "or train again"
        )


def _of_features(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name not in (*_OF_ROWS, _ADDS_FEATURES)}
