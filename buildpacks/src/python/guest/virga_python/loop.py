"""An asyncio event loop that waits for pollables of wasi:io beside sockets and timers."""

import asyncio
import selectors
from asyncio import selector_events

from wit_world.imports import monotonic_clock, poll

# Where sockets and pollables are waited for together, neither can see the other: each is looked at in turn this often.
TURN_SECONDS = 0.005


class Loop(selector_events.BaseSelectorEventLoop):
    def __init__(self):
        super().__init__(Selector())

    def _make_self_pipe(self):
        """Wakes a loop from other threads; there are none."""

    def _close_self_pipe(self):
        """There is none."""

    def _write_to_self(self):
        """Nobody else could have called."""

    def add_signal_handler(self, *_):
        """There are no signals."""

    def remove_signal_handler(self, *_):
        return False

    def run_in_executor(self, executor, function, *arguments):
        """Work for threads is done at once."""
        future = self.create_future()
        try:
            future.set_result(function(*arguments))
        except StopIteration as error:
            future.set_exception(RuntimeError(f"a function for a thread raised {error!r}"))
        except Exception as error:
            future.set_exception(error)
        return future

    async def shutdown_default_executor(self, *_):
        """There is none."""

    async def create_connection(self, protocol_factory, host=None, port=None, *, ssl=None, **more):
        if ssl:
            raise OSError("asyncio has no TLS connections here: the platform does TLS for HTTP alone; use httpx, requests or urllib for https")
        return await super().create_connection(protocol_factory, host, port, **more)

    async def start_server(self, *_, **__):
        raise OSError("a Python app cannot listen here: requests come through its ASGI or WSGI callable")

    create_server = start_server

    def wait(self, pollable):
        """A future for the moment when the pollable is ready. The pollable is let go of then."""
        future = self.create_future()
        self._selector.pollables.append((pollable, future))
        return future

    def run_ready(self):
        """Runs what could go on without waiting for anything."""
        for _ in range(100):
            if not self._ready:
                return
            self.call_soon(self.stop)
            self.run_forever()


class Selector(selectors.DefaultSelector):
    def __init__(self):
        super().__init__()
        self.pollables = []

    def select(self, timeout=None):
        if not self.pollables:
            if not self.get_map():
                _sleep(timeout)
                return []
            return super().select(timeout)
        if not self.get_map():
            self._poll(timeout)
            return []
        while True:
            turn = TURN_SECONDS if timeout is None else min(timeout, TURN_SECONDS)
            events = super().select(0)
            if self._poll(0 if events else turn) or events:
                return events
            if timeout is not None:
                timeout -= turn
                if timeout <= 0:
                    return events

    def _poll(self, timeout):
        """Waits for the first pollable; whether there was one."""
        held = []
        for pollable, future in self.pollables:
            if future.cancelled():
                pollable.__exit__(None, None, None)
            else:
                held.append((pollable, future))
        self.pollables = held
        waited = [pollable for pollable, _ in held]
        if not waited:
            _sleep(timeout)
            return False
        timer = None if timeout is None else monotonic_clock.subscribe_duration(int(timeout * 1e9))
        try:
            ready = set(poll.poll(waited if timer is None else [*waited, timer]))
        finally:
            if timer is not None:
                timer.__exit__(None, None, None)
        self.pollables = [pair for at, pair in enumerate(held) if at not in ready]
        for at, (pollable, future) in enumerate(held):
            if at in ready:
                pollable.__exit__(None, None, None)
                future.set_result(None)
        return any(at < len(held) for at in ready)


def _sleep(timeout):
    if timeout is None:
        raise RuntimeError("this app waits for something that nothing in its process will ever do")
    if timeout > 0:
        with monotonic_clock.subscribe_duration(int(timeout * 1e9)) as timer:
            timer.block()


def install():
    """Makes it the loop of `asyncio.run` and of everything else that asks for one."""
    from asyncio import unix_events

    unix_events._UnixDefaultEventLoopPolicy._loop_factory = Loop
    asyncio.EventLoop = asyncio.SelectorEventLoop = Loop
