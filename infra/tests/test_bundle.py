"""The archive that all functions run from. The first build of a set of versions downloads; later ones do without."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import struct
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import aws_cdk as cdk
import pytest

import app
from deployment import bundle
from tests.templates import INFRA, Template, synthesised

AARCH64 = 183  # e_machine of ELF


@pytest.fixture(scope="module")
def archive() -> Path:
    """Give the archive for Lambda."""
    return bundle.build()


def test_the_same_sources_give_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    """Built again in another folder and another order of files, so that an unchanged function is not deployed anew."""
    downloaded = next(archive.parent.glob(f"dependencies-{bundle.LAMBDA.tag}-*"))
    shutil.copytree(downloaded, tmp_path / downloaded.name)
    again = bundle.build(folder=tmp_path)
    assert again.name == archive.name
    assert again.read_bytes() == archive.read_bytes()


def test_every_compiled_library_is_for_the_target(archive: Path) -> None:
    """ELF for aarch64, named for CPython 3.13."""
    with zipfile.ZipFile(archive) as file:
        libraries = [name for name in file.namelist() if name.endswith(".so")]
        assert {name.split("/")[0] for name in libraries} >= {"hiredis", "orjson", "pydantic_core"}
        for name in libraries:
            assert "cpython-313-aarch64-linux-gnu" in name
            head = file.read(name)[:20]
            assert head[:4] == b"\x7fELF"
            assert struct.unpack("<H", head[18:20]) == (AARCH64,)


def test_no_wheel_needs_a_later_glibc_than_lambda_has(archive: Path) -> None:
    """Amazon Linux 2023 has glibc 2.34; the wheels say which they were built for."""
    with zipfile.ZipFile(archive) as file:
        tags = [
            tag
            for name in file.namelist()
            if name.endswith(".dist-info/WHEEL")
            for tag in re.findall(r"^Tag: (\S+)$", file.read(name).decode(), re.MULTILINE)
        ]
    minors = [int(found[1]) for tag in tags if (found := re.search(r"manylinux_2_(\d+)_aarch64", tag))]
    assert minors
    assert max(minors) <= 34
    assert {tag.rpartition("-")[2].partition("_")[0] for tag in tags} <= {"any", "manylinux", "manylinux2014"}


def test_it_has_what_the_library_needs_and_not_what_lambda_has(archive: Path) -> None:
    """All of the library's dependencies but boto3; nothing that no function imports."""
    with zipfile.ZipFile(archive) as file:
        names = file.namelist()
    top = {name.split("/")[0] for name in names}
    needed = tomllib.loads((INFRA.parent / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {re.split(r"[<>=]", each)[0] for each in needed} - {"boto3"} <= top
    assert not top & {"boto3", "botocore", "bin", "typer", "rich", "moto"}
    assert not [name for name in names if re.match(r"ddb_cache_sync/(cli|local|testing)/", name)]
    assert {"ddb_cache_sync/cache/scripts/apply.lua", "fill_file.py"} <= set(names)


@pytest.mark.skipif(bundle.interpreter(bundle.LAMBDA.python) is None, reason="no interpreter of Lambda's version here")
def test_every_module_has_bytecode_that_is_checked_against_nothing(archive: Path) -> None:
    """Lambda's file system is read-only: bytecode that did not count would be made anew at every cold start."""
    with zipfile.ZipFile(archive) as file:
        names = set(file.namelist())
        for name in (each for each in names if each.endswith(".py")):
            compiled = importlib.util.cache_from_source(name).replace(sys.implementation.cache_tag, "cpython-313")
            assert compiled in names
            assert struct.unpack("<I", file.read(compiled)[4:8]) == (0b01,)  # hash-based, unchecked


def test_every_handler_of_the_template_is_in_it(archive: Path, template: Template) -> None:
    with zipfile.ZipFile(archive) as file:
        for function in template.of_type("Lambda::Function").values():
            module, _, name = function["Handler"].rpartition(".")
            source = file.read(f"{module.replace('.', '/')}.py").decode()
            assert re.search(rf"^def {name}\(", source, re.MULTILINE), function["Handler"]


def test_synthesis_needs_no_network_once_it_was_built(archive: Path, tmp_path: Path) -> None:
    """`python app.py` as the CDK command line runs it, with every way out closed."""
    assert archive.exists()
    nowhere = "http://127.0.0.1:9"
    closed = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"), nowhere)
    run = subprocess.run(
        [sys.executable, "app.py"],
        cwd=INFRA,
        env={**os.environ, **closed, "PIP_NO_INDEX": "1", "CDK_OUTDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert (
        synthesised().of_type("Lambda::Function").keys()
        <= Template.read(tmp_path / "DdbCacheSync.template.json").resources.keys()
    )


@pytest.mark.parametrize(("python", "warnings"), [(Path(sys.executable), 0), (None, 1)])
def test_synthesis_warns_where_there_is_no_python_to_make_bytecode(
    python: Path | None, warnings: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such an archive starts slower, and has other bytes than the one that another machine makes."""
    monkeypatch.setattr(bundle, "interpreter", lambda _python: python)
    stack = cdk.Stack(cdk.App(), "Stack")
    app.warn_without_bytecode(stack, bundle.LAMBDA)
    said = [str(each.data) for each in stack.node.metadata if each.type == "aws:cdk:warning"]
    assert len(said) == warnings
    assert all(f"no Python {bundle.LAMBDA.python} here" in each for each in said)
