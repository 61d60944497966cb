"""A real clamd for tests: own configuration and a small database of its own that knows EICAR."""

import hashlib
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

# In two pieces, so that no scanner takes this file itself for infected.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + rb"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
STREAM_MAX = 8 << 20


class ClamdServer:
    """A clamd on a socket in `folder`; `start` waits until it answers."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("clamd") or shutil.which("clamd", path="/usr/sbin")
        if program is None:
            pytest.skip("clamd is not installed")
        self._program = program
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = folder / "s"
        self.url = f"unix://{self.socket}"

    def start(self) -> None:
        database = self._folder / "db"
        database.mkdir(exist_ok=True)
        (database / "eicar.ndb").write_text(f"Eicar-Test:0:*:{EICAR.hex()}\n")
        (database / "eicar.hdb").write_text(f"{hashlib.md5(EICAR).hexdigest()}:{len(EICAR)}:Eicar-Hash\n")
        config = self._folder / "clamd.conf"
        config.write_text(
            f"DatabaseDirectory {database}\nLocalSocket {self.socket}\nForeground yes\nFixStaleSocket yes\n"
            f"TemporaryDirectory {self._folder}\nStreamMaxLength {STREAM_MAX}\nAlertExceedsMax yes\n"
            f"AlertEncrypted yes\n"
            f"MaxFileSize {STREAM_MAX}\nMaxScanSize {STREAM_MAX * 4}\nMaxThreads 2\n"
        )
        self._process = subprocess.Popen(
            [self._program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(600):
            with socket.socket(socket.AF_UNIX) as probe:
                if self.socket.exists() and probe.connect_ex(str(self.socket)) == 0:
                    return
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        self.stop()
        pytest.fail("clamd did not start")

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(60)
