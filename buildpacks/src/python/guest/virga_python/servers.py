"""Servers that apps start themselves: instead of listening, each hands its app over.

Where the server's own package is part of the standard library or belongs to the framework, its listen call alone is replaced, once
the module is imported. Servers that consist of sockets, signals and processes are stood in for.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types

KNOWN = "flask's and bottle's run, uvicorn, hypercorn, waitress, cheroot, wsgiref, werkzeug, http.server"


class Serving(BaseException):
    """The app is ready to serve. No Exception: an app's own handlers must not stop it on its way out."""

    def __init__(self, app):
        super().__init__()
        self.app = app


def _resolve(app, factory=False):
    """uvicorn and hypercorn also take `module:attribute`."""
    if isinstance(app, str):
        module, _, attribute = app.partition(":")
        # The script itself, which runs as __main__ and is not to run once more.
        main = sys.modules.get("__main__")
        if module == getattr(main, "__name__", None) or _is_main(module):
            app = vars(main)
            app = app.get(attribute or "app")
        else:
            app = importlib.import_module(module)
            for part in (attribute or "app").split("."):
                app = getattr(app, part)
    return app() if factory else app


def _is_main(module):
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    return bool(main) and main.strip("/") == module.replace(".", "/") + ".py"


def _serve(app, *_, factory=False, **__):
    raise Serving(_resolve(app, factory))


async def _serve_async(app, *_, **__):
    raise Serving(_resolve(app))


class _Config:
    """uvicorn.Config and hypercorn.config.Config: settings that mean nothing here."""

    def __init__(self, app=None, *_, factory=False, **settings):
        self.app, self.factory = app, factory
        vars(self).update(settings)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return None

    @classmethod
    def from_mapping(cls, mapping=None, **settings):
        return cls(**{**(mapping or {}), **settings})


class _Server:
    """uvicorn.Server, and what else is made with an app and started later."""

    def __init__(self, config=None, *_, **__):
        self.config = config

    def run(self, *_, **__):
        raise Serving(_resolve(self.config.app, self.config.factory))

    async def serve(self, *_, **__):
        self.run()


class _CherootServer:
    def __init__(self, bind_addr=None, wsgi_app=None, *_, **__):
        self.wsgi_app = wsgi_app

    def start(self):
        raise Serving(self.wsgi_app)

    safe_start = serve = start

    def stop(self):
        """Apps call it when they are interrupted."""


def _stand_ins():
    return {
        "uvicorn": {"run": _serve, "Config": _Config, "Server": _Server, "__version__": "0"},
        "hypercorn": {"Config": _Config},
        "hypercorn.config": {"Config": _Config},
        "hypercorn.asyncio": {"serve": _serve_async},
        "hypercorn.trio": {"serve": _serve_async},
        "waitress": {"serve": _serve},
        "cheroot": {},
        "cheroot.wsgi": {"Server": _CherootServer},
        "bjoern": {"run": _serve},
    }


class _StandInFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        if name not in STAND_INS:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package="." not in name)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        vars(module).update(STAND_INS[module.__name__])
        if "." not in module.__name__:
            # Other modules of the real package, if the app has it, are found as ever.
            module.__path__ = [f"{folder.rstrip('/')}/{module.__name__}" for folder in sys.path if folder]


STAND_INS = _stand_ins()


class _Made:
    """wsgiref's server: made first, started later."""

    def __init__(self, app):
        self.app = app
        self.server_port = self.server_address = None

    def serve_forever(self, *_, **__):
        raise Serving(self.app)

    handle_request = serve_forever

    def set_app(self, app):
        self.app = app

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Nothing was opened."""


def _wsgiref(module):
    module.make_server = lambda host, port, app, *_, **__: _Made(app)


def _werkzeug(module):
    module.run_simple = lambda hostname, port, application, *_, **__: _serve(application)


def _socketserver(module):
    from . import handlers

    def serve_forever(server, *_, **__):
        raise Serving(handlers.app_of(server))

    original = module.TCPServer.__init__

    def init(server, address, handler, bind_and_activate=True):
        original(server, address, handler, bind_and_activate=False)

    module.TCPServer.__init__ = init
    module.BaseServer.serve_forever = serve_forever


# Called with the module when it was first imported.
AFTER_IMPORT = {"wsgiref.simple_server": _wsgiref, "werkzeug.serving": _werkzeug, "socketserver": _socketserver}


def install():
    sys.meta_path.insert(0, _StandInFinder())
