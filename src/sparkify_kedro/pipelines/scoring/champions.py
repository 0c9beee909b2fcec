"""Champions with their metadata, and whether they can score given rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pyspark.ml import PipelineModel

from sparkify_kedro.churn.reports import ChampionMetadata
from sparkify_kedro.framework.nested import differences
from sparkify_kedro.framework.parameters import did_you_mean


class Champion(NamedTuple):
    """The champion of a label and its metadata."""

    model: PipelineModel
    metadata: ChampionMetadata

    @property
    def classifier(self) -> Any:
        """The classification model, between the assembled features and the calibration."""
        return self.model.stages[1]


def champions_of(labels: Sequence[str], datasets: Mapping[str, Any]) -> dict[str, Champion]:
    """The champions by label.

    Args:
        labels: the labels.
        datasets: ``{label}_champion`` and ``{label}_champion_metadata`` of every label.

    Raises:
        ValueError: where the metadata belong to another label or another model.
    """
    champions = {}
    for label in labels:
        model: PipelineModel = datasets[f"{label}_champion"]
        metadata: ChampionMetadata = datasets[f"{label}_champion_metadata"]
        if metadata.label != label:
            raise ValueError(
                f"{label}.champion_metadata describes a champion of {metadata.label}: train {label} again, with "
                f"kedro run --namespaces={label}"
            )
        if model.uid != metadata.model:
            raise ValueError(
                f"{label}.champion and {label}.champion_metadata are from different runs: load the same version of "
                f"both, as in --load-versions={label}.champion:VERSION,{label}.champion_metadata:VERSION"
            )
        champions[label] = Champion(model, metadata)
    return champions


def champion_of(label: str, champions: Mapping[str, Champion]) -> Champion:
    """The champion of a label.

    Raises:
        ValueError: where there is no such label, naming the known labels.
    """
    if label not in champions:
        advice = did_you_mean(label, champions)
        raise ValueError(f"scoring.users_at_risk.rank_by is '{label}', which is not a label: {advice}")
    return champions[label]


def check_match(champion: Champion, columns: Sequence[str], feature_engineering: Mapping[str, Any]) -> None:
    """Check that rows were made like the rows that a champion was trained on.

    Raises:
        ValueError: naming the features that are missing, or the parameters that differ.
    """
    metadata = champion.metadata
    missing = [name for name in metadata.features if name not in columns]
    if missing:
        raise ValueError(
            f"the champion of {metadata.label} was trained on {', '.join(missing)}, which the rows to score lack: "
            "train again with the present features"
        )
    found = sorted(differences(metadata.feature_engineering, feature_engineering, "feature_engineering"))
    if found:
        changes = ", ".join(f"{path} = {trained}, not {given}" for path, (trained, given) in found)
        raise ValueError(
            f"the champion of {metadata.label} was trained with {changes}: score with the parameters of the training, "
            "or train again"
        )
