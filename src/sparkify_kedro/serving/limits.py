"""What a request may take, and who may ask."""

import asyncio
import ipaddress
import secrets
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class TimeLimit:
    """Answers 504 where an answer has not begun in time, whatever it waits for: the body of the request included."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app, self._seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        has_begun = False

        async def noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._seconds):
                await self._app(scope, receive, noting)
        except TimeoutError:
            if not has_begun:
                problem = {"detail": f"no answer within {self._seconds:g} seconds"}
                await JSONResponse(problem, 504)(scope, receive, send)


async def read_body(request: Request, most_bytes: int) -> bytes:
    """The body of a request.

    Raises:
        HTTPException: where it is too long, without reading the rest.
    """
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > most_bytes:
            raise HTTPException(413, f"the body has more than {most_bytes} bytes: send fewer rows at once")
    return bytes(content)


def token_check(token: str) -> Callable[..., None]:
    """A dependency of routes that answers 401 to requests without the token."""
    bearer = HTTPBearer(auto_error=False, description="the token that the server was started with")

    def check(given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> None:
        is_right = given is not None and secrets.compare_digest(given.credentials.encode(), token.encode())
        if not is_right:
            raise HTTPException(401, "send the header Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})

    return check


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
