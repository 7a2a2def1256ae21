"""Changes to modules that ask for what no component has (threads, a writable disk, TLS of their own), made when they are imported."""

import importlib.abc
import importlib.util
import sys

from . import outgoing, servers, tls


class _AfterImport(importlib.abc.MetaPathFinder):
    """Finds nothing itself; lets a module be loaded as ever and changes it then."""

    def find_spec(self, name, path=None, target=None):
        if name not in CHANGES:
            return None
        for finder in sys.meta_path:
            if finder is self or isinstance(finder, type(self)):
                continue
            spec = finder.find_spec(name, path, target) if hasattr(finder, "find_spec") else None
            if spec is not None and spec.loader is not None:
                spec.loader = _Loader(spec.loader, CHANGES[name])
                return spec
        return None


class _Loader(importlib.abc.Loader):
    def __init__(self, loader, change):
        self.loader, self.change = loader, change

    def __getattr__(self, name):
        return getattr(self.loader, name)

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        self.loader.exec_module(module)
        module.__spec__.loader = module.__loader__ = self.loader
        self.change(module)


def _tempfile(module):
    """Temporary files without a disk to put them on live in memory; those with a name do not work."""
    import io

    class MemoryFile(io.BytesIO):
        name = None

        def __exit__(self, *_):
            self.close()

    def temporary_file(mode="w+b", buffering=-1, encoding=None, newline=None, *_, errors=None, **__):
        held = MemoryFile()
        return held if "b" in mode else io.TextIOWrapper(held, encoding=encoding, newline=newline, errors=errors)

    module.TemporaryFile = temporary_file
    module.SpooledTemporaryFile.rollover = lambda spooled: None


def _anyio(module):
    """Work for threads is done at once: there are none."""

    async def run_sync(function, args, abandon_on_cancel=False, limiter=None, **_):
        return function(*args)

    module.AsyncIOBackend.run_sync_in_worker_thread = staticmethod(run_sync)


def _asgiref(module):
    """The same for sync_to_async."""

    async def call(adapted, *args, **kwargs):
        return adapted.func(*args, **kwargs)

    module.SyncToAsync.__call__ = call


CHANGES = {
    **servers.AFTER_IMPORT,
    "tempfile": _tempfile,
    "anyio._backends._asyncio": _anyio,
    "asgiref.sync": _asgiref,
    "http.client": outgoing.http_client,
    "urllib3.connection": outgoing.urllib3_connection,
    "httpx._transports.default": outgoing.httpx_transports,
}


def install():
    """For modules that are imported from now on, and for those that are there already."""
    tls.__name__ = "ssl"
    sys.modules["ssl"] = tls
    servers.install()
    sys.meta_path.insert(0, _AfterImport())
    for name, change in CHANGES.items():
        if name in sys.modules:
            change(sys.modules[name])
