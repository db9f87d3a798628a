"""A PostgreSQL server for the tests, in a folder of its own, on a socket of its own.

    python tests/postgres.py COMMAND ...      runs the command with KEEL_TEST_POSTGRES set to the server's address

Tests that find no KEEL_TEST_POSTGRES are skipped by name.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

USER = "postgres"  # PostgreSQL refuses to run as root


def programs():
    """The folder of initdb and postgres, or None: Debian keeps them out of the path."""
    found = shutil.which("initdb")
    folders = [pathlib.Path(found).parent] if found else sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders else None


def run(*command):
    as_user = ["runuser", "-u", USER, "--"] if os.geteuid() == 0 else []
    done = subprocess.run([*as_user, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, cwd="/", timeout=60)
    assert done.returncode == 0, f"{command[0]}: {done.stdout}"


@contextlib.contextmanager
def server():
    """The address of a running server, or None where PostgreSQL is not installed."""
    bin_folder = programs()
    if bin_folder is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="keel-postgres-") as folder:
        if os.geteuid() == 0:
            shutil.chown(folder, USER)
        data = pathlib.Path(folder) / "data"
        run(bin_folder / "initdb", "-D", data, "-U", USER, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c max_connections=200"
        run(bin_folder / "pg_ctl", "-D", data, "-w", "-o", options, "-l", pathlib.Path(folder) / "log", "start")
        try:
            yield f"postgresql://{USER}@/postgres?host={urllib.parse.quote(folder, safe='')}"
        finally:
            run(bin_folder / "pg_ctl", "-D", data, "-m", "immediate", "stop")


if __name__ == "__main__":
    with server() as address:
        environment = {**os.environ, **({"KEEL_TEST_POSTGRES": address} if address else {})}
        sys.exit(subprocess.run(sys.argv[1:], env=environment).returncode)
