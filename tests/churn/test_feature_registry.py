"""The feature registry agrees with the code, and its rules hold."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from kedro.validation.exceptions import ModelInstantiationError

from sparkify_kedro.churn.device import DEVICES
from sparkify_kedro.churn.feature_registry import FeatureRegistry, ReasonThemes
from sparkify_kedro.churn.vocabulary import EVERY_LABEL, HORIZON_LABELS, LANDMARKS_EARLIER
from sparkify_kedro.learning.user_types import TYPE_FEATURES
from sparkify_kedro.pipelines.feature_engineering.schemas import (
    EXTENDED_FEATURES,
    ORIGINAL_FEATURES,
    user_time_bins,
)
from sparkify_kedro.pipelines.feature_engineering.sequences import REPEATED

Lines = dict[str, dict[str, Any]]

FILE = Path(__file__).parents[2] / "conf/base/parameters_feature_registry.yml"
LINES: Lines = yaml.safe_load(FILE.read_text())["feature_registry"]
THEMES = ReasonThemes.model_validate(yaml.safe_load(FILE.read_text())["reason_themes"])

# The table's columns and their types, read without Spark.
TYPES: dict[str, str] = dict(column.split() for column in user_time_bins.columns.split(", "))

# The labels that look only ahead of the window.
AHEAD = ("will_churn_in_next_bin", "will_downgrade", "will_upgrade", *HORIZON_LABELS)
# These tell that activity stopped, which the cancellation itself brings about in the bin in which it falls.
SEE_ACTIVITY_STOP = {
    "days_since_last_event",
    *(
        f"log_{activity}_per_day_{end}"
        for activity in ("sessions", "songs", "active_days")
        for end in ("in_earlier_bins", "against_earlier_bins")
    ),
}
EXPOSURES = {"observed_days_in_time_bin", "observed_days_in_history"}
# Who a user is, in the log's spelling and in ours; and what is known only of the future or is the answer.
PERSONAL = {
    *("user_id", "userId", "first_name", "firstName", "last_name", "lastName", "location", "user_agent", "userAgent"),
    *("registration", "session_id", "sessionId"),
}
ANSWERS = {
    *EVERY_LABEL,
    "page_submit_downgrade",
    "page_submit_upgrade",
    "churned_at",
    "at_risk",
    "page_cancel",
    "page_cancellation_confirmation",
}


# Of two landmarks before, which a run makes on request.
EARLIER = [*(f"{name}_{number}_earlier" for number in (1, 2) for name in REPEATED), LANDMARKS_EARLIER]


@pytest.fixture(scope="module")
def registry() -> FeatureRegistry:
    return FeatureRegistry.model_validate(LINES)


def test_features_match_the_table_columns_in_order() -> None:
    """Then come those that user types add to the table."""
    assert list(LINES) == [*ORIGINAL_FEATURES, *EXTENDED_FEATURES, *TYPE_FEATURES, *EARLIER]
    of_table = len(LINES) - len(TYPE_FEATURES) - len(EARLIER)
    assert list(LINES)[:of_table] == list(TYPES)[1 : of_table + 1]


def test_feature_names_are_unique() -> None:
    """YAML itself would keep the last one, silently."""
    lines = FILE.read_text().partition("\nreason_themes:")[0]
    names = re.findall(r"^  (\w+):", lines, re.MULTILINE)
    assert len(names) == len(set(names)) == len(LINES)


def test_every_entry_is_valid(registry: FeatureRegistry) -> None:
    assert list(registry.features) == list(LINES)


@pytest.mark.parametrize("label", EVERY_LABEL)
def test_a_model_takes_its_features_in_the_order_of_the_registry(registry: FeatureRegistry, label: str) -> None:
    withheld = EXPOSURES if label in AHEAD else EXPOSURES | SEE_ACTIVITY_STOP
    assert registry.of_set("original", label) == list(ORIGINAL_FEATURES)
    everything = [name for name in LINES if name not in withheld and name not in EARLIER]
    assert registry.of_set("extended_compact", label) == everything
    assert registry.of_set("extended", label) == [name for name in everything if name not in TYPE_FEATURES]
    assert set(TYPE_FEATURES) < set(registry.of_set("compact", label)) < set(everything)


def test_features_that_reveal_inactivity_are_excluded_from_other_labels(registry: FeatureRegistry) -> None:
    serving = {
        name: {label for label in EVERY_LABEL if feature.may_serve(label)}
        for name, feature in registry.features.items()
    }
    assert {name for name, labels in serving.items() if labels == {*AHEAD}} == SEE_ACTIVITY_STOP
    assert {name for name, labels in serving.items() if not labels} == EXPOSURES
    assert all(
        labels == set(EVERY_LABEL) for name, labels in serving.items() if name not in SEE_ACTIVITY_STOP | EXPOSURES
    )


# Reasons


def test_every_feature_has_a_theme_and_every_theme_features() -> None:
    assert {THEMES.of_feature(name) for name in LINES} == set(THEMES.root)
    assert THEMES.of_feature("page_thumbs_down") == THEMES.of_feature("thumbs_down_per_1000_songs_in_history")


def test_themes_tell_columns_that_scored_rows_have() -> None:
    told = {str(theme.tells): theme for theme in THEMES.told().values()}
    assert set(told) <= {*TYPES, *TYPE_FEATURES}
    assert all(TYPES[name] == "string" or LINES[name]["unit"] == "0 or 1" for name, each in told.items() if each.names)
    assert set(told["device"].names) == set(DEVICES)
    assert not [theme for theme in told.values() if theme.says and "{value}" not in theme.says]


def test_gender_is_never_a_reason() -> None:
    assert THEMES.root[THEMES.of_feature("is_male")].tells is None
    texts = [
        text for theme in THEMES.root.values() for text in (theme.says, theme.usual, *theme.names.values()) if text
    ]
    assert not [text for text in texts if re.search(r"male|woman|\bman\b|gender", text)]


# What a line must be, beyond its types


def faults(lines: Lines) -> list[str]:
    """The features whose line breaks a rule, and the rule."""
    found = []
    for name, line in lines.items():
        is_restricted = line["labels"] != "all"
        is_earlier = name.endswith("_earlier")
        looks_back = _period(name) not in ("", "in_time_bin") or name in TYPE_FEATURES or is_earlier
        grows = looks_back or name in ("time_bin", "previously_downgraded", "log_tenure_days", *EXPOSURES)
        rules = {
            "its sets are known": set(line["sets"])
            <= {"original", "extended", "extended_compact", "compact", "sequence"},
            "what is original is extended, too": "original" not in line["sets"] or "extended" in line["sets"],
            "the largest set has all": "extended_compact" in line["sets"] or is_earlier,
            "earlier landmarks are for sequences alone": not is_earlier or line["sets"] == ["sequence"],
            "user types are no extended feature": ("extended" in line["sets"])
            is (name not in TYPE_FEATURES and not is_earlier),
            "its labels are labels": not is_restricted or set(line["labels"]) <= set(EVERY_LABEL),
            "a restriction has a reason": bool(line.get("why", "").strip()) is is_restricted,
            "a logarithm's name says so": name.startswith("log_") is (line.get("scale", "plain") == "log"),
            "a flag's unit says so": (TYPES.get(name) == "int") is (line["unit"] in ("0 or 1", "bins")),
            "a rate's unit is its name's": name in TYPE_FEATURES
            or (
                ("_per_1000_songs_" in name) is (line["unit"] == "per 1,000 songs")
                and (("_per_day_" in name and "against" not in name) is (line["unit"].endswith("per day")))
            ),
            "a ratio is a ratio": ("against" in name) is (line["unit"] == "ratio"),
            "a share is a share": ("_share_" in name or "spread" in name) is (line["unit"] == "share"),
            "its definition says of which time": {
                "in_time_bin": "in the bin",
                "in_history": "since registration",
                "in_earlier_bins": "in all earlier bins",
                "against_earlier_bins": "in the bin against those in all earlier bins",
            }.get(_period(name), "")
            in line["definition"],
            "it moves with time if it looks back": line.get("moves_with_time", False) is grows,
            "it is not personal": name not in PERSONAL,
            "it is not the answer": name not in ANSWERS,
        }
        found += [f"{name}: {rule}" for rule, holds in rules.items() if not holds]
    definitions = [line["definition"] for line in lines.values()]
    return found + [f"{text}: is used twice" for text in sorted(set(definitions)) if definitions.count(text) > 1]


def _period(name: str) -> str:
    """The ending of a rate's name; the original's features and exposures have words of their own."""
    if name in ORIGINAL_FEATURES or name in EXPOSURES:
        return ""
    ends = ("in_time_bin", "in_history", "in_earlier_bins", "against_earlier_bins")
    return next((end for end in ends if name.endswith(end)), "")


def test_every_entry_follows_the_rules() -> None:
    assert faults(LINES) == []


@pytest.mark.parametrize(
    ("name", "change", "rule"),
    [
        ("page_help", {"sets": ["original"]}, "what is original is extended, too"),
        ("page_help", {"sets": ["extended", "extendet"]}, "its sets are known"),
        ("page_help", {"sets": ["original", "extended"]}, "the largest set has all"),
        ("landmarks_earlier", {"sets": ["sequence", "compact"]}, "earlier landmarks are for sequences alone"),
        ("user_type_1", {"sets": ["extended", "extended_compact"]}, "user types are no extended feature"),
        ("days_since_last_event", {"labels": ["will_churn"]}, "its labels are labels"),
        ("days_since_last_event", {"why": " "}, "a restriction has a reason"),
        ("page_help", {"scale": "log"}, "a logarithm's name says so"),
        ("log_tenure_days", {"scale": "plain"}, "a logarithm's name says so"),
        ("is_male", {"unit": "share"}, "a flag's unit says so"),
        ("page_help", {"unit": "0 or 1"}, "a flag's unit says so"),
        ("help_per_day_in_history", {"unit": "per 1,000 songs"}, "a rate's unit is its name's"),
        ("log_songs_per_day_against_earlier_bins", {"unit": "songs"}, "a ratio is a ratio"),
        ("paid_time_share_in_history", {"unit": "0 to 1"}, "a share is a share"),
        ("help_per_day_in_history", {"definition": "help in the bin"}, "its definition says of which time"),
        ("help_per_day_in_history", {"moves_with_time": False}, "it moves with time if it looks back"),
        ("page_help", {"moves_with_time": True}, "it moves with time if it looks back"),
    ],
)
def test_an_entry_that_violates_a_rule_is_detected(name: str, change: dict[str, Any], rule: str) -> None:
    assert f"{name}: {rule}" in faults({**LINES, name: {**LINES[name], **change}})


@pytest.mark.parametrize(("name", "rule"), [("user_id", "it is not personal"), ("churned_at", "it is not the answer")])
def test_a_forbidden_feature_is_detected(name: str, rule: str) -> None:
    assert f"{name}: {rule}" in faults({**LINES, name: LINES["page_help"]})


def test_a_duplicate_definition_is_detected() -> None:
    text = LINES["page_help"]["definition"]
    assert faults({**LINES, "page_home": LINES["page_help"]}) == [f"{text}: is used twice"]


# What the registry itself holds


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"unit": ...}, "page_help.unit is missing"),
        ({"unit": ""}, "page_help.unit should have at least 1 character"),
        ({"sets": []}, "should have at least 1 item"),
        ({"scale": "cubic"}, "page_help.scale should be 'plain' or 'log' (it is 'cubic')"),
        ({"color": "red"}, "page_help.color is not a known parameter"),
        ({"labels": ["will_churn_soon"]}, "'why' belongs to features that some labels may not use"),
        ({"labels": []}, "'why' belongs to features that some labels may not use"),
        ({"why": "it is fine"}, "'why' belongs to features that some labels may not use"),
    ],
)
def test_an_invalid_entry_is_reported_with_its_feature(line: dict[str, Any], expected: str) -> None:
    wrong = {key: value for key, value in {**LINES["page_help"], **line}.items() if value is not ...}
    with pytest.raises(ModelInstantiationError, match="page_help") as caught:
        FeatureRegistry.model_validate({"page_home": LINES["page_home"], "page_help": wrong})
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_entry_that_is_not_a_mapping_is_reported_with_its_feature() -> None:
    with pytest.raises(ModelInstantiationError, match="page_help should be a block"):
        FeatureRegistry.model_validate({"page_help": "visits"})


@pytest.mark.parametrize(
    ("asked", "advice"),
    [
        ("extendet", "'extendet', which is no feature set: did you mean 'extended'?"),
        ("orignal", "'orignal', which is no feature set: did you mean 'original'?"),
        (
            "banana",
            "'banana', which is no feature set: known are compact, extended, extended_compact, original, sequence.",
        ),
    ],
)
def test_an_unknown_feature_set_is_reported_with_a_suggestion(
    registry: FeatureRegistry, asked: str, advice: str
) -> None:
    with pytest.raises(ValueError, match="feature_sets has ") as caught:
        registry.of_set(asked, AHEAD[0])
    assert str(caught.value).endswith(advice)


def test_values_are_converted_to_their_unit(registry: FeatureRegistry) -> None:
    assert registry.features["log_tenure_days"].natural(math.log(42)) == pytest.approx(42)
    assert registry.features["page_help"].natural(3) == 3
