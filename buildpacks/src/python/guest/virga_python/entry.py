"""The component's exports.

`prepare` is called once, at staging, on an interpreter that has only the standard library in it; what is in memory when it returns
is the app's snapshot. `handle` and `run` are called in instances of that snapshot.
"""

import random
import sys

import _virga
import wit_world
from wit_world import exports

from . import asgi, command, fresh, requests, start, watch, wsgi

# componentize-py keeps this name and calls it at the first export of a process, which is `prepare`: the state of a generator
# that nobody can name again would make every snapshot another one.
_seed = random.seed
random.seed = lambda *_: None


class WitWorld(wit_world.WitWorld):
    def prepare(self):
        random.seed = _seed
        watch.prepare()
        _virga.forget()


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request, response_out):
        fresh.begin()
        with request:
            answer = requests.Answer(response_out)
            try:
                app = start.app()
                if start.is_asgi(app):
                    asgi.serve(app, request, answer)
                else:
                    wsgi.serve(app, request, answer)
            except Exception:
                requests.fail(answer)
            sys.stdout.flush()
            sys.stderr.flush()


class Run(exports.Run):
    def run(self):
        fresh.begin()
        command.run()
