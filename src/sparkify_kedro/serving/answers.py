"""The bodies of answers, as the server's OpenAPI document describes them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sparkify_kedro.churn.reports import RankingScores


class Answer(BaseModel):
    """Every answer on users or rows says which run, model and days it is about."""

    model_config = ConfigDict(frozen=True)

    run: str = Field(description="the run that stored the scores")
    model: str = Field(description="the id of the champion that made them")
    label: str
    as_of: datetime | None = Field(description="when the horizon begins (UTC); null: no user was scored")
    horizon_days: int


class ScoredUser(BaseModel):
    """A user's stored score."""

    user_id: str
    probability: float = Field(ge=0, le=1, description="of the label's event within the horizon")
    rank: int = Field(ge=1, description="1 is the highest probability of all scored users")
    decile: int = Field(ge=1, le=10)
    reasons: list[str] | None = Field(description="the strongest first; null of a neural network")


class UserAnswer(Answer, ScoredUser):
    """One user."""


class UsersAnswer(Answer):
    """The users of the highest probabilities, by rank."""

    scored: int = Field(ge=0, description="all users with a score")
    users: list[ScoredUser]


class ScoredRow(BaseModel):
    """The score of a row of features."""

    probability: float = Field(ge=0, le=1)
    reasons: list[str]


class ScoreAnswer(Answer):
    """The scores of the rows of a request, in its order."""

    scores: list[ScoredRow]


class ServedFeature(BaseModel):
    """A feature of the champion."""

    unit: str
    definition: str
    training_mean: float | None


class ModelAnswer(Answer):
    """The champion."""

    algorithm: str
    feature_set: str
    features: dict[str, ServedFeature]
    threshold: float = Field(description="the probability from which a user counts as leaving")
    out_of_fold: RankingScores = Field(description="of training rows, by models that were fitted without them")
    verdict: str
    is_recalibrated: bool
    fingerprint: str | None = Field(description="of the champion's JSON")


class HealthAnswer(BaseModel):
    """Whether scores are served; ``problem`` is why no newer ones are."""

    status: Literal["ready", "waiting"]
    run: str | None
    as_of: datetime | None
    problem: str | None


class Problem(BaseModel):
    """What was wrong, in a sentence."""

    detail: str


class FieldError(BaseModel):
    """What was wrong with a field of the request."""

    loc: list[str | int] = Field(description="the path of the field, such as body, rows, 0, page_help")
    msg: str
    type: str


class FieldErrors(BaseModel):
    """Every field of the request that is wrong."""

    detail: list[FieldError]
