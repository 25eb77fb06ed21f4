"""The node over HTTP: /predict, /health, /version, /refresh.

    POST /predict {"texts": ["my card has not arrived"]}
    → {"release": "v000002-...",
       "answers": [{"label": "card_arrival", "probability": 0.97, "in_scope": true, "score": 11.8}]}

Every error is one JSON object with one line: {"error": "..."}.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openautoglm import __version__
from openautoglm.serve.follow import Follower
from openautoglm.serve.live import Answered, LiveModel, NotReady


@dataclass(frozen=True)
class Limits:
    """``body`` in bytes, ``text`` in characters; ``waiting``: requests in line before new ones are turned away."""

    body: int = 1 << 20
    texts: int = 256
    text: int = 20_000
    waiting: int = 512


@dataclass
class Counts:
    requests: int = 0
    failures: int = 0
    waiting: int = 0

    def pair(self) -> tuple[int, int]:
        return self.requests, self.failures


@dataclass(frozen=True)
class Node:
    """What the routes work on; ``workers`` answer that many requests side by side."""

    live: LiveModel
    follower: Follower
    workers: int
    counts: Counts = field(default_factory=Counts)
    limits: Limits = field(default_factory=Limits)


class Question(BaseModel):
    model_config = ConfigDict(extra="forbid")
    texts: list[str]


class Answer(BaseModel):
    label: str
    probability: float
    in_scope: bool | None
    score: float


class Answers(BaseModel):
    release: str
    answers: list[Answer]


def create_app(node: Node) -> FastAPI:
    app = FastAPI(title="Open-AutoGLM", version=__version__, docs_url=None, redoc_url=None)
    pool = ThreadPoolExecutor(node.workers, thread_name_prefix="answer")
    app.add_middleware(Body, limit=node.limits.body)
    _answer_errors(app)

    @app.post("/predict")
    async def predict(question: Question) -> Answers:
        check(question, node.limits)
        answered = await _ask(node, pool, question.texts)
        answers = [
            Answer(label=one.label, probability=one.probability, in_scope=one.in_scope, score=one.score)
            for one in answered.predictions
        ]
        return Answers(release=answered.release, answers=answers)

    @app.get("/health")
    async def health() -> Response:
        return JSONResponse(_health(node), status_code=200 if node.live.release else 503)

    @app.get("/version")
    async def version() -> dict[str, Any]:
        return {
            "release": node.live.release,
            "since": node.live.since,
            "labels": node.live.labels,
            "channel": node.follower.channel,
            "software": __version__,
        }

    @app.post("/refresh", status_code=202)
    async def refresh() -> dict[str, bool]:
        node.follower.tell()
        return {"told": True}

    return app


def check(question: Question, limits: Limits) -> None:
    """Raises HTTPException: nothing asked, or more than this node takes."""
    if not question.texts:
        raise HTTPException(422, "texts is empty; give at least one text")
    if len(question.texts) > limits.texts:
        raise HTTPException(
            413, f"{len(question.texts)} texts, at most {limits.texts} a request; send them in parts"
        )
    for number, text in enumerate(question.texts):
        if len(text) > limits.text:
            raise HTTPException(
                413, f"text {number} has {len(text)} characters, at most {limits.text}; cut it"
            )


async def _ask(node: Node, pool: ThreadPoolExecutor, texts: list[str]) -> Answered:
    counts = node.counts
    if counts.waiting >= node.limits.waiting:
        counts.failures += 1
        raise HTTPException(
            503, f"{counts.waiting} requests are waiting; try again later", {"Retry-After": "1"}
        )
    counts.requests += 1
    counts.waiting += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(pool, node.live.predict, texts)
    except NotReady as error:
        counts.failures += 1
        raise HTTPException(503, error.message, {"Retry-After": "1"}) from None
    except Exception:
        counts.failures += 1
        raise
    finally:
        counts.waiting -= 1


def _health(node: Node) -> dict[str, Any]:
    """``trouble``: why the node does not serve what its channel points at, if so; it serves all the same."""
    live, follower, counts = node.live, node.follower, node.counts
    return {
        "status": "starting" if live.release is None else "behind" if follower.trouble else "ok",
        "release": live.release,
        "since": live.since,
        "in_flight": live.in_flight,
        "leaving": live.leaving,
        "trouble": follower.trouble,
        "requests": counts.requests,
        "failures": counts.failures,
    }


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return _error(422, 'the body is not JSON; send {"texts": ["..."]}')
        place = ".".join(str(part) for part in first["loc"] if part != "body") or "the body"
        return _error(422, f'{place}: {first["msg"]}; send {{"texts": ["..."]}}')

    @app.exception_handler(StarletteHTTPException)
    async def refused(request: Request, error: StarletteHTTPException) -> JSONResponse:
        known = "there are POST /predict, GET /health, GET /version, POST /refresh"
        told = f"{request.method} {request.url.path}: {error.detail}"
        return _error(
            error.status_code, f"{told}; {known}" if error.status_code in (404, 405) else error.detail, error
        )

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> JSONResponse:
        return _error(500, f"no answer: {type(error).__name__}; the node's log says more")


def _error(status: int, message: str, error: StarletteHTTPException | None = None) -> JSONResponse:
    return JSONResponse({"error": message}, status, dict(error.headers or {}) if error else None)


class Body:
    """Refuse a body that is too long before it is in memory, whether its length was announced or not.

    What is taken counts as JSON, whatever its header says: `curl -d` calls everything a form.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app, self.limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        parts, size, more = [], int(announced) if announced.isdigit() else 0, True
        if size <= self.limit:
            size = 0
            while more and size <= self.limit:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                parts.append(message.get("body", b""))
                size, more = size + len(parts[-1]), message.get("more_body", False)
        if size > self.limit:
            await _error(413, f"the body has more than {self.limit} bytes; send texts in parts")(
                scope, receive, send
            )
            return
        others = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
        scope = {**scope, "headers": [*others, (b"content-type", b"application/json")]}
        await self.app(scope, _again(b"".join(parts), receive), send)


def _again(body: bytes, receive: Receive) -> Callable[[], Any]:
    """A receive that gives the body that was read already, then what the connection says."""
    given = False

    async def once() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once
