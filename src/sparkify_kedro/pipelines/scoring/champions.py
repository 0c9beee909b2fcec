"""Champions with their cards, and whether they may score what they are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pyspark.ml import Model, PipelineModel

from sparkify_kedro.framework.parameters import did_you_mean


class Champion(NamedTuple):
    """A label's champion and what it was trained with."""

    model: PipelineModel
    card: dict[str, Any]

    @property
    def classifier(self) -> Model:
        """The stage that was trained, between the assembled features and the calibration."""
        return self.model.stages[1]


def pair_up(models_and_cards: Sequence[Any]) -> dict[str, Champion]:
    """The champions by label, from models and cards in turn.

    Raises:
        ValueError: where a card is not the model's.
    """
    champions = {}
    for model, card in zip(models_and_cards[::2], models_and_cards[1::2], strict=True):
        label = card["label"]
        if model.uid != card["model"]:
            raise ValueError(
                f"{label}.champion and {label}.champion_metadata are of different runs: name the same version of both, "
                f"as in --load-versions={label}.champion:VERSION,{label}.champion_metadata:VERSION"
            )
        champions[label] = Champion(model, card)
    return champions


def champion_of(label: str, champions: Mapping[str, Champion]) -> Champion:
    """The champion of a label.

    Raises:
        ValueError: where there is no such label, naming the labels there are.
    """
    if label not in champions:
        advice = did_you_mean(label, champions)
        raise ValueError(f"scoring.users_at_risk.rank_by is '{label}', which is no label: {advice}")
    return champions[label]


def check_match(champion: Champion, columns: Sequence[str], feature_engineering: Mapping[str, Any]) -> None:
    """Make sure that a champion is given rows that were made as its training rows were.

    Raises:
        ValueError: naming the features that are missing, or the parameters that differ.
    """
    card = champion.card
    missing = [name for name in card["features"] if name not in columns]
    if missing:
        raise ValueError(
            f"the champion of {card['label']} was trained on {', '.join(missing)}, which the rows to score lack: run "
            "modeling again with the features there are"
        )
    trained, given = _leaves(card["feature_engineering"]), _leaves(feature_engineering)
    differ = [name for name in sorted({*trained, *given}) if trained.get(name) != given.get(name)]
    if differ:
        found = ", ".join(
            f"feature_engineering.{name} = {trained.get(name)} and is given {given.get(name)}" for name in differ
        )
        raise ValueError(
            f"the champion of {card['label']} was trained with {found}: score with the parameters of the training, or "
            "train again"
        )


def _leaves(block: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    found = {}
    for key, value in block.items():
        found |= _leaves(value, f"{path}{key}.") if isinstance(value, Mapping) else {path + key: value}
    return found
