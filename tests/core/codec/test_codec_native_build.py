"""Building and choosing the native codec: fresh, optional, explained, and only where it fits."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dcl_comms_core import codec
from dcl_comms_core.codec import choice
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.proto import rfc4, v3
from dcl_comms_core.proto._gen.tables import TABLES

CORE = Path(codec.__file__).parents[1]
ROOT = Path(__file__).resolve().parents[3]
SCRIPT = CORE / "codec" / "_native" / "build.py"
WHAT_TO_DO = "run `make native` (or `make env`)"
HAS_COMPILER = any(map(shutil.which, ("cc", "gcc", "clang")))
HERE = "native" in codec.engines()
needs_native = pytest.mark.skipif(not HERE, reason=f"no native codec: {codec.native_problem()}")
needs_compiler = pytest.mark.skipif(not HAS_COMPILER, reason="no C compiler")


def build_module() -> Any:
    spec = importlib.util.spec_from_file_location("native_build", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build = build_module()


def python(script: str, *, path: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter; ``path`` is where it finds the core."""
    variables = os.environ | {"DCL_COMMS_CODEC": "", "PYTHONPATH": str(path or CORE.parent)} | env
    command = [sys.executable, "-P", "-W", "error", "-c", script]  # -P: not the core of the current folder
    return subprocess.run(command, capture_output=True, text=True, env=variables, check=False, timeout=50)


# --- fresh


@pytest.mark.skipif(not HAS_COMPILER or os.environ.get("DCL_COMMS_CODEC") == "python", reason="not to be expected")
def test_the_native_codec_is_there() -> None:
    assert HERE, f"{codec.native_problem()}: {WHAT_TO_DO}"


@needs_native
def test_it_is_made_from_these_sources() -> None:
    from dcl_comms_core.codec._native import _speedups

    assert build.source_hash() == _speedups.SOURCE_HASH, f"the native codec is older than its sources: {WHAT_TO_DO}"


# --- built


@needs_compiler
@pytest.mark.slow
def test_it_builds_without_warnings_and_in_one_move(tmp_path: Path) -> None:
    assert "-Werror" in build.FLAGS
    built = build.build(tmp_path)
    assert built == tmp_path / f"_speedups{sysconfig.get_config_var('EXT_SUFFIX')}"
    assert list(tmp_path.iterdir()) == [built]


@needs_compiler
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("readelf") is None, reason="there is no readelf")
@pytest.mark.parametrize("extension", build.EXTENSIONS, ids=lambda extension: extension.what)
def test_it_is_hardened(tmp_path: Path, extension: Any) -> None:
    if not extension.folder.is_dir():
        pytest.skip("only the core is here")
    built = build.build(tmp_path, extension=extension)

    def readelf(*options: str) -> str:
        command = ["readelf", "-W", *options, str(built)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    dynamic = readelf("-d")
    assert "NOW" in dynamic
    assert "RPATH" not in dynamic
    assert "RUNPATH" not in dynamic
    segments = {line.split()[0]: line.split() for line in readelf("-l").splitlines() if line.startswith("  GNU_")}
    assert "GNU_RELRO" in segments
    assert "RWE" not in segments["GNU_STACK"]
    assert "__stack_chk_fail" in readelf("--dyn-syms")
    if os.uname().machine == "x86_64":
        # Where a pointer to a function may lead; that the whole file is so is said only where the C library is, too.
        assert b"\xf3\x0f\x1e\xfa" in built.read_bytes()
    given = build.flags(["cc"])
    assert any(flag.startswith("-D_FORTIFY_SOURCE=") for flag in given), given


@needs_compiler
@pytest.mark.slow
def test_the_environments_flags_have_the_last_word(tmp_path: Path, monkeypatch: Any) -> None:
    real = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))))
    spy = tmp_path / "cc"
    spy.write_text(f'#!/bin/sh\nfor word in "$@"; do echo "$word"; done > {tmp_path}/words\nexec {real} "$@"\n')
    spy.chmod(0o755)
    monkeypatch.setenv("CC", str(spy))
    monkeypatch.setenv("CFLAGS", "-O1 -Wundef")
    monkeypatch.setenv("CPPFLAGS", "-DMINE='a b'")
    monkeypatch.setenv("LDFLAGS", "-Wl,--build-id=none")
    (tmp_path / "out").mkdir()
    assert build.build(tmp_path / "out").exists()
    words = (tmp_path / "words").read_text().splitlines()
    ours = [words.index(word) for word in ("-O3", "-fstack-protector-strong", "-Werror")]
    theirs = [words.index(word) for word in ("-Wno-error", "-O1", "-Wundef", "-DMINE=a b", "-Wl,--build-id=none")]
    assert max(ours) < min(theirs)
    # Before ours, where this compiler takes them: those that the interpreter was built with.
    told = str(sysconfig.get_config_var("CFLAGS") or "").split()
    assert [word for word in told if word in words[: words.index("-std=c11")]] in (told, [])


def test_flags_that_a_compiler_does_not_know_are_left_out(tmp_path: Path) -> None:
    picky = tmp_path / "cc"
    picky.write_text(
        '#!/bin/sh\ncase "$*" in *FORTIFY_SOURCE=3*|*fcf-protection*|*relro*|*-g\\ *|*fwrapv*) exit 1;; esac\nexit 0\n'
    )
    picky.chmod(0o755)
    given = build.flags([str(picky)])
    assert "-D_FORTIFY_SOURCE=2" in given
    assert "-fstack-protector-strong" in given
    assert not {"-D_FORTIFY_SOURCE=3", "-fcf-protection", "-Wl,-z,relro"} & set(given)
    assert build.flags([str(tmp_path / "nothing")]) == [*build.FLAGS, "-DNDEBUG"]


def test_what_stops_a_build(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(build.CannotBuild, match=r"no C compiler was found \(tried: no-such-compiler\)"):
        build.build(tmp_path)
    refusing = tmp_path / "cc"
    refusing.write_text("#!/bin/sh\necho 'I would rather not' >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("CC", str(refusing))
    with pytest.raises(build.CannotBuild, match="refused the source:\nI would rather not"):
        build.build(tmp_path)
    refusing.write_text("not a program")
    with pytest.raises(build.CannotBuild, match="did not run"):
        build.build(tmp_path)
    assert list(tmp_path.iterdir()) == [refusing]
    run = subprocess.run([sys.executable, SCRIPT, "--into", tmp_path], capture_output=True, text=True, check=False,
                         env=os.environ | {"CC": "no-such-compiler"})  # fmt: skip
    assert run.returncode == 1
    line = "dcl-comms: the native codec was not built, the pure-Python one is used: no C compiler was found"
    assert run.stderr.startswith(line)
    assert run.stderr.count("\n") == 2  # the other extension says the same of itself


def wheel(folder: Path, **env: str) -> tuple[Path, str]:
    """A wheel made from an sdist, and what was said."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | env, timeout=50)
    assert run.returncode == 0, run.stdout + run.stderr
    (found,) = folder.glob("*.whl")
    return found, run.stdout + run.stderr


@pytest.mark.slow
def test_wheels_from_the_sdist(tmp_path: Path) -> None:
    pytest.importorskip("build", reason="needs the dependency group build")
    pytest.importorskip("hatchling", reason="needs the dependency group build")
    plain, said = wheel(tmp_path / "plain", CC="no-such-compiler")
    assert plain.name.endswith("-py3-none-any.whl")
    assert "the native codec was not built, the pure-Python one is used: no C compiler was found" in said
    with tarfile.open(next((tmp_path / "plain").glob("*.tar.gz"))) as sdist:
        names = [name.partition("/")[2] for name in sdist.getnames()]
    assert "dcl_comms_core/codec/_native/codec.c" in names
    assert "dcl_comms_core/codec/_native/build_hook.py" in names
    assert not [name for name in names if name.endswith((".so", ".pyd"))]
    if not HAS_COMPILER:
        return
    native, _ = wheel(tmp_path / "native")
    version = f"cp{sys.version_info.major}{sys.version_info.minor}"
    assert f"-{version}-{version}-" in native.name
    with zipfile.ZipFile(native) as archive:
        inside = [name for name in archive.namelist() if "/_native/" in name]
        archive.extractall(tmp_path / "site")  # noqa: S202  # our own
    assert sorted(inside) == sorted(
        f"{extension.package}/{name}"
        for extension in build.EXTENSIONS
        for name in (f"{extension.module}.pyi", build.file_name(extension))
    )
    run = python("from dcl_comms_core import codec; print(codec.active(), codec.__file__)", path=tmp_path / "site")
    assert run.stdout.split() == ["native", str(tmp_path / "site" / "dcl_comms_core" / "codec" / "__init__.py")], (
        run.stderr
    )


# --- chosen

STATE = "import sys; from dcl_comms_core import codec; print(codec.active(), *codec.engines(), codec.native_problem())"


@needs_native
def test_the_environment_chooses() -> None:
    asked = "; print('dcl_comms_core.codec._native._speedups' in sys.modules)"
    for value, answer in (("python", "python python DCL_COMMS_CODEC=python\nFalse\n"),
                          ("native", "native python native None\nTrue\n"), ("", "native python native None\nTrue\n")):  # fmt: skip
        run = python(STATE + asked, DCL_COMMS_CODEC=value)
        assert (run.stdout, run.stderr) == (answer, "")
    run = python(STATE, DCL_COMMS_CODEC="fast")
    assert run.stderr.endswith("ImportError: DCL_COMMS_CODEC can be native or python\n")


def test_without_the_extension(tmp_path: Path) -> None:
    shutil.copytree(CORE, tmp_path / "dcl_comms_core", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    script = "from dcl_comms_core.proto import rfc4; packet = rfc4.Packet(chat=rfc4.Chat('a')); print(codec.decode(bytes(packet)))"
    run = python(f"{STATE}\n{script}", path=tmp_path)
    assert run.stdout.startswith("python python cannot import name '_speedups'"), run.stderr
    assert "Packet(chat=Chat(message='a'))" in run.stdout
    run = python(STATE, path=tmp_path, DCL_COMMS_CODEC="native")
    assert "ImportError: DCL_COMMS_CODEC=native, but there is no native codec: cannot import name" in run.stderr


def test_choose() -> None:
    found: Any = object()
    assert choice.choose("", lambda: found) == choice.choose("native", lambda: found) == (found, None)
    assert choice.choose("", lambda: "why") == (None, "why")
    assert choice.choose("python", lambda: found) == (None, "DCL_COMMS_CODEC=python")
    with pytest.raises(ImportError, match="native, but there is no native codec: why"):
        choice.choose("native", lambda: "why")
    with pytest.raises(ImportError, match="can be native or python"):
        choice.choose("Native", lambda: found)


def test_the_variable_in_both_forms_of_an_environment(monkeypatch: Any) -> None:
    class Module:
        environ: Any = None

    monkeypatch.setattr(choice, "import_module", lambda _: Module)
    for environ, answer in (({}, ""), ({b"DCL_COMMS_CODEC": b"python"}, "python"), ({"DCL_COMMS_CODEC": "native"}, "native"),
                            ({b"DCL_COMMS_CODEC": b""}, ""), ({b"DCL_COMMS_CODEC": b"\xff"}, "\ufffd")):  # fmt: skip
        Module.environ = environ
        assert choice._asked_for() == answer


def test_an_engine_that_is_not_there() -> None:
    with pytest.raises(LocalProtocolError, match="no codec named rust; there are: python"):
        codec.use("rust")


def test_no_extension_is_a_reason(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "dcl_comms_core.codec._native", None)
    assert "_native" in str(choice.load_native())


INTERPRETER = """
try:
    import _interpreters
except ImportError:
    import _xxsubinterpreters as _interpreters
script = '''
import sys
sys.path[:0] = {path!r}
from dcl_comms_core.codec import choice
print(choice.active(), choice.native_problem())
from dcl_comms_core.proto import rfc4
assert rfc4.Packet.parse(bytes(rfc4.Packet(chat=rfc4.Chat("a")))).chat.message == "a"
'''
number = _interpreters.create({config})
print(_interpreters.run_string(number, script) or "")
"""


@needs_native
def test_a_sub_interpreter_gets_the_python_codec() -> None:
    config = "'legacy'" if sys.version_info >= (3, 13) else "isolated=False"
    run = python(INTERPRETER.format(path=sys.path, config=config))
    text = (
        "python dcl_comms_core's native codec works in the main interpreter only; the Python codec works in all of them"
    )
    assert text in run.stdout, run.stdout + run.stderr
    assert run.returncode == 0


# --- what registration verifies


class Unslotted(v3.ServiceDiscoveryMessage):
    server_name: str = ""  # hides the slot


class Derived(v3.ServiceDiscoveryMessage):
    __slots__ = ("later",)


class Other(v3.ServiceDiscoveryMessage):
    """Stores something else than its fields' zero values."""

    __slots__ = ()

    def __init__(self, server_name: Any = None, status: Any = None) -> None:
        super().__init__(server_name, status)


class Broken(v3.ServiceDiscoveryMessage):
    __slots__ = ()

    def __init__(self, server_name: str = "", status: Any = None) -> None:
        super().__init__(server_name, status)
        raise ValueError("not today")


class Case(NamedTuple):
    change: Any
    problem: str


# No other message has this one inside.
TABLE = next(table for table in TABLES if table.cls is v3.ServiceDiscoveryMessage)
NAME, STATUS = TABLE.fields
REFUSED = {
    "a class attribute in a slot's place": Case({"cls": Unslotted}, "a field is not a slot: 'server_name'"),
    "another default": Case({"cls": Other}, "an empty field that is not as the tables say: 'server_name'"),
    "a constructor that fails": Case({"cls": Broken}, "not today"),
    "a number without room": Case({"fields": (NAME._replace(number=32), STATUS)}, "too large"),
    "an unknown type": Case({"fields": (NAME._replace(type="sint64"), STATUS)}, "not a word"),
    "repeated numbers": Case({"fields": (NAME._replace(type="uint32", presence="repeated"), STATUS)}, "no code"),
    "a message in no table": Case({"fields": (NAME, STATUS._replace(message=Derived))}, "not a class of the tables"),
    "a map of numbers": Case({"fields": (NAME._replace(type="map", presence="map", key="uint64", value="string"), STATUS)},
                             "a map that the native codec has no code for"),
    "a field too few": Case({"fields": (NAME,)}, "not the constructor's arguments"),
    "no enum": Case({"fields": (NAME._replace(type="enum", enum=str), STATUS)}, "not an enum"),
    "messages inside themselves": Case({"fields": (NAME, STATUS._replace(message=TABLE.cls))}, "nest too deeply"),
}  # fmt: skip


@needs_native
@pytest.mark.parametrize("name", REFUSED)
def test_classes_that_are_not_as_expected(name: str) -> None:
    change, problem = REFUSED[name]
    tables = tuple(table._replace(**change) if table is TABLE else table for table in TABLES)
    reason = choice.load_native(tables)
    assert isinstance(reason, str)
    assert reason.startswith("the message classes are not as the native codec expects them: ")
    assert problem in reason
    # What was registered before is still there.
    assert codec.engines()["native"].encode(rfc4.Chat("a")) == b"\x0a\x01a"


@needs_native
def test_registering_again() -> None:
    again = choice.load_native()
    assert not isinstance(again, str)
    assert again.engine.encode(rfc4.Chat("a")) == b"\x0a\x01a"
    assert again.engine.decode(b"\x2a\x00") == rfc4.Packet(chat=rfc4.Chat())
    assert rfc4.Chat("a").message == "a"
    codec.use("native")
    assert codec.encode(rfc4.Chat("a")) == b"\x0a\x01a"
