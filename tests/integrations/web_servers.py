"""One application in each web framework, on a real server: GET and HEAD answer with objects, PUT stores them."""

import asyncio
import socket
from contextlib import asynccontextmanager

import fastapi
import uvicorn
from aiohttp import web
from starlette.applications import Starlette
from starlette.routing import Route

from entrepot.integrations import aiohttp, asgi, starlette


def asgi_application(op):
    async def app(scope, receive, send):
        path = scope["path"]
        if scope["method"] in {"GET", "HEAD", "DELETE"}:
            response = asgi.ObjectResponse(op, path)
        else:
            response = asgi.StoredObjectResponse(op, path, max_size=1 if path == "/tiny" else None)
        await response(scope, receive, send)

    return app


def starlette_application(op):
    async def download(request):
        return starlette.ObjectResponse(op, request.path_params["path"])

    async def upload(request):
        path = request.path_params["path"]
        response = starlette.StoredObjectResponse(op, path, max_size=1 if path == "tiny" else None)
        response.set_cookie("seen", "1")
        return response

    return Starlette(
        routes=[
            Route("/{path:path}", download, methods=["GET", "HEAD"]),
            Route("/{path:path}", upload, methods=["PUT", "POST", "DELETE"]),
        ]
    )


def fastapi_application(op):
    app = fastapi.FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "HEAD"])
    async def download(path: str):
        return starlette.ObjectResponse(op, path)

    @app.api_route("/{path:path}", methods=["PUT", "POST", "DELETE"])
    async def upload(path: str):
        return starlette.StoredObjectResponse(op, path, max_size=1 if path == "tiny" else None)

    @app.patch("/{path:path}")
    async def upload_and_say(path: str, request: fastapi.Request):
        return {"size": (await starlette.store_request(op, path, request)).content_length}

    return app


@asynccontextmanager
async def _on_uvicorn(app):
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def _on_aiohttp(op):
    async def download(request):
        return await aiohttp.object_response(request, op, request.match_info["path"])

    async def upload(request):
        path = request.match_info["path"]
        max_size, min_rate = 1 if path == "tiny" else None, 1000 if path == "slow" else None
        return await aiohttp.stored_object_response(request, op, path, max_size=max_size, min_rate=min_rate)

    app = web.Application()
    app.router.add_get("/{path:.*}", download)
    for method in ("PUT", "POST", "DELETE"):
        app.router.add_route(method, "/{path:.*}", upload)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def serve(framework, op):
    """A server of an application of the framework over an operator; the value of its context is the URL."""
    if framework == "aiohttp":
        return _on_aiohttp(op)
    return _on_uvicorn(globals()[f"{framework}_application"](op))
