"""A worker beside the web process; as a task it takes its arguments and ends."""

import asyncio
import sys


async def work(arguments):
    await asyncio.sleep(0.01)
    print("task done", *arguments)


asyncio.run(work(sys.argv[1:]))
