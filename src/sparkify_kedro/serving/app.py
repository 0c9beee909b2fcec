"""The HTTP application; ``create`` is called in every process of the server."""

import logging
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any

import anyio.to_thread
from fastapi import Depends, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from sparkify_kedro import __version__

from .answers import (
    Answer,
    FieldError,
    FieldErrors,
    HealthAnswer,
    ModelAnswer,
    Problem,
    ScoreAnswer,
    ScoredRow,
    ScoredUser,
    ServedFeature,
    UserAnswer,
    UsersAnswer,
)
from .forecast import Forecast, UnavailableError
from .limits import TimeLimit, read_body, token_check
from .metrics import ServedGauges, add_metrics
from .newest import NewestForecast
from .settings import TOKEN_VARIABLE, Bounds, Serving
from .stored_forecasts import StoredForecasts

Errors = dict[int | str, dict[str, Any]]

_WAITING = "no complete run has scored users yet: kedro run"
_REQUEST = "ScoreRequest"
_SCHEMAS = "#/components/schemas/{model}"


def create() -> FastAPI:
    """The application, with the settings that ``Serving.write`` has left."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    serving = Serving.read()
    newest = NewestForecast(StoredForecasts(serving), serving.bounds.refresh_seconds, ServedGauges().show)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        newest.start()
        yield
        newest.stop()

    app = FastAPIOffline(
        title="Sparkify churn",
        version=__version__,
        description="The newest churn forecast: users by their risk with reasons, and scores of further rows.",
        lifespan=lifespan,
        redoc_url=None,
    )
    needs_token = [Depends(token_check(token))] if (token := os.environ.get(TOKEN_VARIABLE)) else []
    add_metrics(app, needs_token)
    _add_users(app, newest, serving.bounds, needs_token)
    _add_model(app, newest, needs_token)
    _add_score(app, newest, serving.bounds, needs_token)
    _add_health(app, newest)
    app.add_middleware(TimeLimit, seconds=serving.bounds.most_seconds)
    app.add_exception_handler(UnavailableError, _unavailable)
    app.add_exception_handler(ClientDisconnect, _gone)
    return app


def _add_users(app: FastAPI, newest: NewestForecast, bounds: Bounds, needs_token: list[Any]) -> None:
    @app.get("/users", dependencies=needs_token, responses=_errors(401, 422, 503, 504))
    async def list_users(
        top: Annotated[int, Query(ge=1, le=bounds.most_users, description="users of the highest ranks")] = 20,
    ) -> UsersAnswer:
        """The users of the highest probabilities, with reasons."""
        forecast = _served(newest)
        scored = len(forecast.positions)
        users = await _in_thread(_users, forecast, range(min(top, scored)))
        return UsersAnswer(**_about(forecast), scored=scored, users=users)

    @app.get("/users/{user_id:path}", dependencies=needs_token, responses=_errors(401, 404, 422, 503, 504))
    async def get_user(user_id: Annotated[str, Path(description="as in the log")]) -> UserAnswer:
        """The newest stored score of a user, with reasons."""
        forecast = _served(newest)
        if (position := forecast.positions.get(user_id)) is None:
            raise HTTPException(404, f"run {forecast.run} has no score of such a user: unknown, or no longer at risk")
        [user] = await _in_thread(_users, forecast, [position])
        return UserAnswer(**_about(forecast), **user.model_dump())


def _add_model(app: FastAPI, newest: NewestForecast, needs_token: list[Any]) -> None:
    @app.get("/model", dependencies=needs_token, responses=_errors(401, 503, 504))
    async def get_model() -> ModelAnswer:
        """The champion that made the scores, and that scores further rows."""
        forecast = _served(newest)
        metadata, registry = forecast.metadata, forecast.registry.features
        return ModelAnswer(
            **_about(forecast),
            algorithm=metadata.algorithm,
            feature_set=metadata.feature_set,
            features={
                name: ServedFeature(
                    unit=registry[name].unit,
                    definition=registry[name].definition,
                    training_mean=metadata.profile[name].mean,
                )
                for name in metadata.features
            },
            threshold=metadata.threshold,
            out_of_fold=metadata.out_of_fold,
            verdict=metadata.verdict,
            is_recalibrated=metadata.recalibration is not None,
            fingerprint=None if forecast.champion is None else forecast.champion.fingerprint,
        )


def _add_score(app: FastAPI, newest: NewestForecast, bounds: Bounds, needs_token: list[Any]) -> None:
    schema = {"$ref": _SCHEMAS.format(model=_REQUEST)}

    @app.post(
        "/score",
        dependencies=needs_token,
        response_model=ScoreAnswer,
        responses=_errors(401, 413, 415, 422, 503, 504),
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}},
    )
    async def score_rows(request: Request) -> Any:
        """Score rows: the champion's features by name (GET /model), and perhaps columns that reasons tell."""
        forecast = _served(newest)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise HTTPException(415, "send the rows as application/json")
        return await _in_thread(_score, forecast, await read_body(request, bounds.most_bytes))

    described: Callable[[], dict[str, Any]] = app.openapi

    def openapi() -> dict[str, Any]:
        # A newer run may have a champion of other features.
        document, forecast = described(), newest.forecast
        asked: dict[str, Any] = {"type": "object"}
        if forecast is not None and forecast.is_explained:
            asked = forecast.request.json_schema(ref_template=_SCHEMAS)
        document["components"]["schemas"] |= asked.pop("$defs", {}) | {_REQUEST: asked}
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI documents it


def _add_health(app: FastAPI, newest: NewestForecast) -> None:
    @app.get("/health", responses={503: {"model": HealthAnswer, "description": "no scores yet"}})
    async def get_health(response: Response) -> HealthAnswer:
        """Whether scores are served, and from which run."""
        forecast = newest.forecast
        if forecast is None:
            response.status_code = 503
            return HealthAnswer(status="waiting", run=None, as_of=None, problem=newest.problem or _WAITING)
        return HealthAnswer(status="ready", run=forecast.run, as_of=forecast.as_of, problem=newest.problem)


def _served(newest: NewestForecast) -> Forecast:
    if newest.forecast is None:
        raise HTTPException(503, newest.problem or _WAITING)
    return newest.forecast


def _about(forecast: Forecast) -> dict[str, Any]:
    metadata = forecast.metadata
    answer = Answer(
        run=forecast.run,
        model=metadata.model,
        label=metadata.label,
        as_of=forecast.as_of,
        horizon_days=metadata.horizon_days,
    )
    return answer.model_dump()


def _users(forecast: Forecast, positions: Sequence[int]) -> list[ScoredUser]:
    reasons = forecast.reasons_of(positions)
    scores = forecast.scores
    return [
        ScoredUser(
            user_id=scores["user_id"][position],
            probability=scores["probability"][position],
            rank=scores["rank"][position],
            decile=scores["decile"][position],
            reasons=None if reasons is None else reasons[number],
        )
        for number, position in enumerate(positions)
    ]


def _score(forecast: Forecast, content: bytes) -> ScoreAnswer | JSONResponse:
    """The answer, or what is wrong with each field of the request."""
    try:
        asked = forecast.request.validate_json(content)
    except ValidationError as error:
        found = [
            FieldError(loc=["body", *each["loc"]], msg=each["msg"], type=each["type"])
            for each in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        return JSONResponse(FieldErrors(detail=found).model_dump(), 422)
    scored, reasons = forecast.score(asked["rows"])
    scores = [ScoredRow(probability=each, reasons=why) for each, why in zip(scored, reasons, strict=True)]
    return ScoreAnswer(**_about(forecast), scores=scores)


async def _in_thread(work: Callable[..., Any], *given: Any) -> Any:
    """Without keeping other requests waiting; an answer that takes too long is not waited for."""
    return await anyio.to_thread.run_sync(partial(work, *given), abandon_on_cancel=True)


def _errors(*codes: int) -> Errors:
    return {code: {"model": FieldErrors if code == 422 else Problem} for code in codes}


async def _unavailable(request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 503)


async def _gone(request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": "the request ended before its body did"}, 400)
