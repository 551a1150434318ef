"""The one archive that all functions run from: the library, what it needs, and the capabilities' runtime/ folders.

Rules:

1. No Docker and no compiler: wheels for the target are downloaded, by exact version and hash.
2. The same sources give the same bytes: fixed dates, sorted names, bytecode that is checked against nothing.
3. What a function never imports is left out: boto3 and botocore, which Lambda's runtime has, the command line, the
   servers for one machine, the test helpers.
4. The network is needed once for each set of versions: what was downloaded is kept in build/, and synthesis goes on
   without it.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final, NamedTuple

_HERE: Final = Path(__file__).resolve().parent
INFRA: Final = _HERE.parent.parent
LIBRARY: Final = INFRA.parent / "src" / "ddb_cache_sync"
BUILD: Final = INFRA / "build"
REQUIREMENTS: Final = _HERE / "requirements.txt"
LEFT_OUT: Final = frozenset({"cli", "local", "testing", "__main__.py"})
"""Parts of the library that no function imports."""
_DATE: Final = (1980, 1, 1, 0, 0, 0)  # the first that a zip archive can hold
_FORMAT: Final = "1"  # raise it when the same sources are to give other bytes


class BundleError(Exception):
    """The archive can't be built."""


class Target(NamedTuple):
    """What the archive is to run on."""

    python: str
    """Python's version, such as `3.13`."""
    platforms: tuple[str, ...]
    """Platform tags of the wheels that fit, the best first. Empty: this machine."""

    @property
    def tag(self) -> str:
        """A name for its files."""
        return f"py{self.python}-{self.platforms[0] if self.platforms else 'here'}"


LAMBDA: Final = Target("3.13", ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"))
"""Lambda's runtime python3.13 on arm64: Amazon Linux 2023, which has glibc 2.34."""


def here(python: str | None = None) -> Target:
    """A target that is this machine: to run the functions without AWS.

    Args:
        python: Python's version. None: Lambda's where an interpreter of it is found, else the running one's.
    """
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Target(python or (LAMBDA.python if interpreter(LAMBDA.python) else running), ())


@functools.cache
def interpreter(python: str) -> Path | None:
    """An interpreter of this version on this machine, to compile with. None: there is none."""
    names = [f"python{python}", f"python{python}.exe"]
    places = [Path(folder) / name for folder in os.environ.get("PATH", "").split(os.pathsep) for name in names]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    places += sorted(pyenv.glob(f"versions/{python}.*/bin/python"), reverse=True)
    places += sorted(Path.home().glob(f".local/share/uv/python/cpython-{python}*/bin/python{python}"), reverse=True)
    ask = "import sys; print('%d.%d' % sys.version_info[:2], sys.implementation.name)"
    for place in [Path(sys.executable), *places]:
        if not place.is_file():
            continue
        # A shim of pyenv is a file too, and fails: so each is asked.
        answer = subprocess.run([place, "-c", ask], capture_output=True, text=True, check=False)  # noqa: S603
        if answer.returncode == 0 and answer.stdout.split() == [python, "cpython"]:
            return place
    return None


def build(target: Target = LAMBDA, folder: Path = BUILD) -> Path:
    """The archive for a target; built if the sources have changed since.

    Args:
        target: What it is to run on.
        folder: Where archives and downloads are kept.

    Raises:
        BundleError: Wheels can't be had, or don't fit.
    """
    sources = _sources()
    compiler = interpreter(target.python)
    archive = folder / f"functions-{target.tag}-{_key(target, sources, compiler)}.zip"
    if not archive.exists():
        dependencies = _dependencies(target, folder, compiler)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            own = Path(scratch) / "own"
            for name, source in sources.items():
                (own / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, own / name)
            compile_modules(own, compiler)
            _write([dependencies, own], Path(scratch) / "archive")
            (Path(scratch) / "archive").replace(archive)
    return archive


def runtime_modules() -> dict[str, Path]:
    """The modules in the runtime/ folders, by their place in the archive: at its root."""
    return {path.name: path for path in sorted((INFRA / "deployment").glob("*/runtime/*.py"))}


def _sources() -> dict[str, Path]:
    """Our own files, by their place in the archive."""
    found = {
        f"{LIBRARY.name}/{path.relative_to(LIBRARY).as_posix()}": path
        for path in sorted(LIBRARY.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path.relative_to(LIBRARY).parts[0] not in LEFT_OUT
    }
    return found | runtime_modules()


def _key(target: Target, sources: dict[str, Path], compiler: Path | None) -> str:
    digest = hashlib.sha256(f"{_FORMAT} {target} {compiler is not None}".encode())
    digest.update(REQUIREMENTS.read_bytes())
    for name, source in sources.items():
        digest.update(f"\n{name} ".encode() + hashlib.sha256(source.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _dependencies(target: Target, folder: Path, compiler: Path | None) -> Path:
    """A folder with what the library needs, installed for the target; kept, so that the network is needed once."""
    key = hashlib.sha256(f"{_FORMAT} {target} {compiler}".encode() + REQUIREMENTS.read_bytes()).hexdigest()[:16]
    kept = folder / f"dependencies-{target.tag}-{key}"
    if kept.exists():
        return kept
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        wanted = Path(scratch) / "requirements.txt"
        # The hashes are those of the files for Lambda; for another target the versions alone have to do.
        lines = REQUIREMENTS.read_text("utf-8").splitlines()
        wanted.write_text("\n".join(lines if target.platforms else [line.split(" --hash")[0] for line in lines]))
        into = Path(scratch) / "into"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
        command += ["--no-deps", "--only-binary=:all:", "--implementation=cp", f"--python-version={target.python}"]
        command += [f"--platform={each}" for each in target.platforms or own_platforms()]
        command += [f"--target={into}", f"--requirement={wanted}"]
        run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if run.returncode:
            raise BundleError(
                f"pip can't install the functions' dependencies for {target.tag}:\n{run.stderr.strip()}\n"
                "Run it once with a network; from then on they are kept in infra/build/."
            )
        # Scripts are of no use there, and name this machine's interpreter; RECORD lists them.
        shutil.rmtree(into / "bin", ignore_errors=True)
        for each in [*into.glob("*.dist-info/RECORD"), *into.glob("*.dist-info/REQUESTED")]:
            each.unlink()
        compile_modules(into, compiler)
        into.replace(kept)
    return kept


def own_platforms() -> list[str]:
    """Platform tags of this machine, the best first."""
    machine, system = platform.machine().lower(), platform.system()
    if system == "Linux":
        return [f"manylinux_2_{minor}_{machine}" for minor in (28, 17)] + [f"manylinux2014_{machine}"]
    if system == "Darwin":
        return [f"macosx_{major}_0_{machine}" for major in (15, 14, 13, 12, 11)] + [f"macosx_10_12_{machine}"]
    raise BundleError(f"the functions can't be built for {system}: build them on Linux or macOS")


def compile_modules(folder: Path, compiler: Path | None) -> None:
    """Put bytecode beside every module. Without it each cold start compiles what it imports."""
    if compiler is None:
        return
    # unchecked-hash: the dates in the archive say nothing, and Lambda can't write bytecode of its own.
    command: list[str | Path] = [
        compiler,
        "-I",
        "-m",
        "compileall",
        "-q",
        "-j",
        "1",
        "--invalidation-mode",
        "unchecked-hash",
    ]
    subprocess.run([*command, "-s", folder, "-p", "/var/task", folder], check=True, capture_output=True)  # noqa: S603


def _write(folders: list[Path], archive: Path) -> None:
    found = {path.relative_to(folder).as_posix(): path for folder in folders for path in folder.rglob("*")}
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name in sorted(found):
            if found[name].is_file():
                entry = zipfile.ZipInfo(name, _DATE)
                entry.create_system = 3  # Unix, wherever it was built: else the permissions are not looked at
                entry.external_attr = (0o755 if name.endswith(".so") else 0o644) << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                file.writestr(entry, found[name].read_bytes(), compresslevel=9)


def main() -> None:
    """Build the archive, and say where it is."""
    parser = argparse.ArgumentParser(prog="python -m deployment.bundle", description=__doc__.partition("\n")[0])
    parser.add_argument("--here", action="store_true", help="for this machine, instead of for Lambda")
    arguments = parser.parse_args()
    archive = build(here() if arguments.here else LAMBDA)
    with zipfile.ZipFile(archive) as file:
        unpacked = sum(entry.file_size for entry in file.infolist())
        compiled = any(entry.filename.endswith(".pyc") for entry in file.infolist())
    print(  # noqa: T201 - this is its result
        f"{archive}\n{archive.stat().st_size / 1e6:.1f} MB, {unpacked / 1e6:.1f} MB unpacked, "
        f"{'with' if compiled else 'without'} bytecode, "
        f"sha256 {hashlib.sha256(archive.read_bytes()).hexdigest()[:16]}"
    )
