import asyncio
import os
import secrets
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel

counted = 0


@asynccontextmanager
async def lifespan(app):
    app.state.started = True
    yield


app = FastAPI(title="Virga sample", lifespan=lifespan)


class Item(BaseModel):
    name: str
    price: float


@app.get("/", response_class=PlainTextResponse)
async def hello(request: Request):
    print("hello", request.client.host)
    return "Hello from FastAPI on Virga\n"


@app.get("/env/{name}", response_class=PlainTextResponse)
async def environment(name: str):
    if name not in os.environ:
        raise HTTPException(404, f"{name} is not set")
    return os.environ[name]


@app.post("/echo")
async def echo(request: Request):
    return Response(await request.body(), media_type="application/octet-stream")


@app.get("/stream")
async def stream(pause: float = 0.01):
    async def pieces():
        for number in range(5):
            yield f"data: piece {number}\n\n"
            await asyncio.sleep(pause)

    return StreamingResponse(pieces(), media_type="text/event-stream")


@app.get("/random", response_class=PlainTextResponse)
async def random_digits():
    return secrets.token_hex(16)


@app.get("/count", response_class=PlainTextResponse)
def count():
    # A plain function: frameworks run it in a thread where there are any.
    global counted
    counted += 1
    return str(counted)


@app.post("/items")
async def create(item: Item):
    return {"name": item.name.title(), "total": item.price * 2, "started": app.state.started}


@app.get("/together")
async def together():
    clock = asyncio.get_running_loop().time
    begun = clock()
    await asyncio.gather(*(asyncio.sleep(0.05) for _ in range(10)))
    return {"seconds": clock() - begun}
