import os
import secrets

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

counted = 0


async def hello(request):
    print("hello", request.client.host)
    return PlainTextResponse("Hello from Starlette on Virga\n")


async def environment(request):
    value = os.environ.get(request.path_params["name"])
    return PlainTextResponse("not set\n", 404) if value is None else PlainTextResponse(value)


async def echo(request):
    async def pieces():
        async for piece in request.stream():
            yield piece

    return StreamingResponse(pieces(), media_type="application/octet-stream")


async def stream(request):
    async def pieces():
        for number in range(5):
            yield f"piece {number}\n"

    return StreamingResponse(pieces(), media_type="text/plain")


async def random_digits(request):
    return PlainTextResponse(secrets.token_hex(16))


async def count(request):
    global counted
    counted += 1
    return PlainTextResponse(str(counted))


app = Starlette(
    routes=[
        Route("/", hello),
        Route("/env/{name}", environment),
        Route("/echo", echo, methods=["POST"]),
        Route("/stream", stream),
        Route("/random", random_digits),
        Route("/count", count),
    ]
)

if __name__ == "__main__":
    uvicorn.run(app, host="0.0.0.0", port=int(os.environ.get("PORT", "8000")))
