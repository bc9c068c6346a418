"""The build, by its backend, of a copy of this tree with a small module in the kernel's place."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from children import PATIENCE, ROOT
from streamware import kernel

pytest.importorskip("hatchling", reason="skipped: needs hatchling")
pytest.importorskip("editables", reason="skipped: needs editables")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / "hatch_build.py").exists(), reason="skipped: needs a checkout"),
]
needs_compiler = pytest.mark.skipif(
    not shutil.which((sysconfig.get_config_var("CXX") or "c++").split()[0])
    or not Path(sysconfig.get_path("include"), "Python.h").exists(),
    reason="skipped: needs a C++ compiler and the headers of CPython",
)
FILES = ("pyproject.toml", "hatch_build.py", ".gitignore", "README.md", "LICENSE")
MODULE = f"""
#include <Python.h>

static PyModuleDef definition = {{PyModuleDef_HEAD_INIT, "_native"}};

PyMODINIT_FUNC PyInit__native() {{
    PyObject *module = PyModule_Create(&definition);
    PyModule_AddIntConstant(module, "SOURCES", STREAMWARE_SOURCES);
    PyModule_AddIntConstant(module, "VERSION", {kernel.VERSION});
    return module;
}}
"""
SWITCHES = ("STREAMWARE_KERNEL", "STREAMWARE_PURE", "CC", "CXX")
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in SWITCHES}
NO_COMPILER = {"CXX": "/nonexistent/c++"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    made = tmp_path / "tree"
    ignored = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd", "*.cpp", "*.hpp")
    shutil.copytree(ROOT / "streamware", made / "streamware", ignore=ignored)
    for name in FILES:
        shutil.copy(ROOT / name, made)
    (made / "streamware/kernel/module.cpp").write_text(MODULE)
    return made


def built(tree: Path, what: str = "wheel", **environment: str) -> Path:
    """What the backend makes of the tree: a wheel, an editable one, an sdist."""
    folder = tree.parent / what
    folder.mkdir(exist_ok=True)
    code = f"import sys, hatchling.build as b; print(b.build_{what}(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        cwd=tree,
        env=ENVIRONMENT | {"TMPDIR": str(tree.parent)} | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.splitlines()[-1]


def contents(tree: Path) -> list[Path]:
    return sorted(path for path in tree.rglob("*") if "__pycache__" not in path.parts)


def version(folder: Path) -> str:
    """What streamware in this folder says of itself."""
    done = subprocess.run(
        [sys.executable, "-m", "streamware", "--version"],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return done.stdout.partition(", ")[2].strip()


def unpacked(wheel: Path) -> Path:
    folder = wheel.with_suffix("")
    shutil.unpack_archive(wheel, folder, "zip")
    return folder


@needs_compiler
def test_a_wheel_has_the_compiled_kernel_and_the_tree_stays_as_it_is(tree: Path) -> None:
    before = contents(tree)
    wheel = built(tree, STREAMWARE_KERNEL="1")
    assert contents(tree) == before
    assert sorted(path.name for path in tree.parent.iterdir()) == ["tree", "wheel"]
    assert not wheel.name.endswith("-none-any.whl")
    kernel_files = {path.name for path in unpacked(wheel).glob("streamware/kernel/*")}
    assert kernel_files == {
        "__init__.py",
        "_native.pyi",
        "_native" + sysconfig.get_config_var("EXT_SUFFIX"),
    }
    assert version(unpacked(wheel)) == "compiled kernel"


@pytest.mark.parametrize(
    "environment",
    [NO_COMPILER, {"CC": "/nonexistent/cc"}, {"PATH": "/nonexistent"}, {"STREAMWARE_KERNEL": "0"}],
    ids=["CXX", "CC", "PATH", "STREAMWARE_KERNEL"],
)
def test_without_a_compiler_the_wheel_is_pure(tree: Path, environment: dict[str, str]) -> None:
    before = contents(tree)
    wheel = built(tree, **environment)
    assert wheel.name.endswith("-py3-none-any.whl")
    assert contents(tree) == before
    assert sorted(path.name for path in tree.parent.iterdir()) == ["tree", "wheel"]
    assert version(unpacked(wheel)) == "pure Python (no kernel was compiled)"


def test_what_does_not_compile_is_left_out(tree: Path) -> None:
    (tree / "streamware/kernel/module.cpp").write_text("#error not for this compiler\n")
    assert built(tree).name.endswith("-py3-none-any.whl")
    assert built(tree, "editable").name.endswith("-py3-none-any.whl")
    assert version(tree).startswith("pure Python")


@pytest.mark.parametrize("what", ["wheel", "editable"])
def test_a_wheel_that_is_to_be_published_is_not_made_without_the_kernel(
    tree: Path, what: str
) -> None:
    with pytest.raises(AssertionError, match="nonexistent"):
        built(tree, what, STREAMWARE_KERNEL="1", **NO_COMPILER)


@needs_compiler
def test_an_editable_install_has_the_kernel_until_its_sources_change(tree: Path) -> None:
    built(tree, "editable")
    assert version(tree) == "compiled kernel"
    with (tree / "streamware/kernel/module.cpp").open("a") as source:
        source.write("// changed\n")
    assert "is of other sources" in version(tree)
    built(tree, "editable")
    assert version(tree) == "compiled kernel"
    wheel = built(tree, STREAMWARE_KERNEL="0")
    assert not [
        name for name in zipfile.ZipFile(wheel).namelist() if name.endswith((".so", ".pyd"))
    ]


@needs_compiler
def test_the_sdist_has_what_compiles_the_kernel(tree: Path) -> None:
    sdist = built(tree, "sdist")
    shutil.unpack_archive(sdist, tree.parent / "unpacked", filter="data")
    (folder,) = (tree.parent / "unpacked").iterdir()
    assert (folder / "streamware/kernel/module.cpp").exists()
    assert version(unpacked(built(folder, STREAMWARE_KERNEL="1"))) == "compiled kernel"
