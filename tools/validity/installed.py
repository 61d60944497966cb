"""Where tools are found: jars in the folder of Java tools, commands in PATH; and which version they are."""

import re
import shutil
import tempfile
import zipfile
from functools import cache
from pathlib import Path

from tools.sandbox import Sandbox, private_folder
from tools.validity.ports import Installed

HEAP = "512m"
JAVA = (
    f"-Xmx{HEAP}",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # most of a run is its start
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",  # the batch is split then, instead of limping on
    "-Djava.awt.headless=true",
)
_VERSION = re.compile(r"\d+(?:\.\d+)+")


def in_jars(folder: Path | None, name: str, main: str, order: tuple[str, ...] = ()) -> Installed | None:
    """Return the tool whose jars lie in `folder`/`name`, or None where they or Java are not there.

    Jars whose names begin as `order` says come first, in that order; its first one has the version.
    """
    java = shutil.which("java")
    jars = sorted((folder / name).glob("*.jar")) if folder else []
    if java is None or not jars:
        return None
    ranks = {
        jar: next((at for at, start in enumerate(order) if jar.name.startswith(start)), 99) for jar in jars
    }
    jars.sort(key=ranks.__getitem__)
    version = _VERSION.search(jars[0].stem)
    path = ":".join(str(jar.absolute()) for jar in jars)
    return Installed(
        (java, *JAVA, "-cp", path, main), version[0] if version else "", (jars[0].parent.absolute(),)
    )


def in_path(command: str, *question: str) -> Installed | None:
    """Return the command of that name in PATH, or None; a jar is run by Java."""
    found = shutil.which(command)
    if found is None:
        return None
    program = Path(found).resolve()
    if zipfile.is_zipfile(program):
        if (java := shutil.which("java")) is None:
            return None
        words = (java, *JAVA, "-jar", str(program))
        return Installed(words, _version_of_jar(program), (program.parent,))
    return Installed((found,), _version_of_command(found, program.stat().st_mtime_ns, question))


def java_places(folder: Path) -> dict[str, str]:
    """Return the environment by which every JVM of a run has its home and temporary folder in `folder`."""
    options = f"-Duser.home={folder / 'home'} -Djava.io.tmpdir={folder / 'tmp'}"
    return {"JAVA_TOOL_OPTIONS": f"-Xmx{HEAP} -XX:-UsePerfData {options}"}


@cache
def _version_of_jar(jar: Path) -> str:
    try:
        with zipfile.ZipFile(jar) as opened:
            for name in opened.namelist():
                if name.startswith("META-INF/maven/") and name.endswith("/pom.properties"):
                    said = re.search(rb"^version=(\S+)", opened.read(name), re.MULTILINE)
                    return said[1].decode("ascii", "replace") if said else ""
    except (OSError, zipfile.BadZipFile):
        pass
    return ""


@cache
def _version_of_command(command: str, _changed: int, question: tuple[str, ...]) -> str:
    """Ask a command for its version, once in the life of a process."""
    with private_folder(Path(tempfile.gettempdir())) as folder:
        ran = Sandbox(folder).run([command, *question], [], environment=java_places(folder))
    said = _VERSION.search(ran.output.decode("utf-8", "replace") or ran.said)
    return said[0] if said else ""
