"""The framework half knows nothing about the domain."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FRAMEWORK = Path(__file__).parents[2] / "src/sparkify_kedro/framework"
DOMAIN_WORDS = re.compile(
    r"churn|champion|user_?id|time_?bin|\bsongs?\b|subscri|NextSong|as_of|\bmusic|sparkify(?!_kedro|\.log)",
    re.IGNORECASE,
)
# The name of the environment variable and of the package in the documentation of catalog entries.
ALLOWED = re.compile(r"SPARKIFY_TRACEBACK|sparkify_kedro|sparkify\.log")


def domain_words(text: str) -> list[str]:
    """The words of the domain in a text."""
    return DOMAIN_WORDS.findall(ALLOWED.sub("", text))


@pytest.mark.parametrize("path", sorted(FRAMEWORK.rglob("*.py")), ids=lambda path: str(path.relative_to(FRAMEWORK)))
def test_no_word_of_the_domain_occurs(path: Path) -> None:
    assert domain_words(path.read_text()) == []


def test_words_of_the_domain_are_detected() -> None:
    assert domain_words("def rank_users(churn_scores): ...  # per user_id and time bin") == ["churn", "user_id"]
    assert domain_words("import sparkify_kedro") == []
