"""The tools people copy files with today; each copies over loopback (cp: on the disk) into another folder.

In: a work folder on the disk that is measured.  Out: for each tool a function `copy(source, target)`, or
what is missing and how to get it. Servers (sshd, nginx, http.server) run as this user, with keys and
settings of their own, and are gone with the `with` block.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.processes import RunError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Copy = Callable[[Path, Path], None]
READY_TIMEOUT_S = 20
SSHD_CONFIG = """ListenAddress 127.0.0.1:{port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile {folder}/pid
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
"""
NGINX_CONFIG = """daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush on; types {{ }} default_type application/octet-stream;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


@dataclass(frozen=True, slots=True)
class Tool:
    """A way to copy; `copy` is None when it is missing, and `how_to_get` says what to install. servers: the
    processes that serve it, whose processor time counts too.
    """

    name: str
    copy: Copy | None
    how_to_get: str = ""
    servers: tuple[int, ...] = ()


def program(name: str) -> str | None:
    """Where a program is, also in the folders of the administrator."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin")


def run(*argv: str | Path) -> None:
    """Run a program to its end. Raises RunError with what it said when it failed."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunError(f"{argv[0]} ended with {done.returncode}: {done.stderr[-400:]}")


@contextmanager
def tools(work: Path, served: Path) -> Iterator[list[Tool]]:
    """Every tool, ready to copy from below `served`, until the block ends."""
    with ExitStack() as stack:
        copiers = [Tool("cp -r", _cp)]
        copiers += _ssh_tools(stack, work / "ssh")
        copiers.append(_http_tool(stack, served))
        copiers.append(_nginx_tool(stack, work / "nginx", served))
        yield copiers


def _cp(source: Path, target: Path) -> None:
    run("cp", "-r", source, target)


def _ssh_tools(stack: ExitStack, folder: Path) -> list[Tool]:
    sshd = program("sshd")
    if sshd is None or program("ssh-keygen") is None:
        return [Tool(name, None, "apt install openssh-server") for name in ("scp", "rsync over ssh")]
    folder.mkdir(mode=0o700)
    for key in ("host", "user"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key)
    port = free_port()
    config = folder / "sshd_config"
    config.write_text(SSHD_CONFIG.format(port=port, folder=folder))
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd wants it when root runs it
    server = serve(stack, port, sshd, "-D", "-f", str(config))
    options = ["-F", "none", "-i", str(folder / "user"), "-o", "StrictHostKeyChecking=no"]
    options += ["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes"]
    host = f"{getpass.getuser()}@127.0.0.1"

    def scp(source: Path, target: Path) -> None:
        run("scp", "-q", "-r", "-P", str(port), *options, f"{host}:{source}", target)

    def rsync(source: Path, target: Path) -> None:
        shell = " ".join(["ssh", "-p", str(port), *options])
        end = "/" if source.is_dir() else ""
        run("rsync", "-a", "-e", shell, f"{host}:{source}{end}", f"{target}{end}")

    with_rsync = rsync if program("rsync") else None
    servers = (server.pid,)
    return [Tool("scp", scp, "", servers), Tool("rsync over ssh", with_rsync, "apt install rsync", servers)]


def _http_tool(stack: ExitStack, served: Path) -> Tool:
    name = "curl from http.server"
    if program("curl") is None:
        return Tool(name, None, "apt install curl")
    port = free_port()
    module = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "-d", str(served)]
    server = serve(stack, port, *module)
    return Tool(name, _curl(port), "", (server.pid,))


def _nginx_tool(stack: ExitStack, folder: Path, served: Path) -> Tool:
    name = "curl from nginx"
    nginx = program("nginx")
    if nginx is None or program("curl") is None:
        return Tool(name, None, "apt install nginx-light curl")
    folder.mkdir()
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(NGINX_CONFIG.format(folder=folder, port=port, root=served))
    server = serve(stack, port, nginx, "-c", str(config), "-p", str(folder))
    return Tool(name, _curl(port), "", (server.pid,))


def _curl(port: int) -> Copy:
    def curl(source: Path, target: Path) -> None:
        run("curl", "-sf", "-o", target, f"http://127.0.0.1:{port}/{source.name}")

    return curl


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def serve(
    stack: ExitStack,
    port: int,
    *argv: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a server, wait until it accepts, and stop it at the end of the stack."""
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(argv, stdin=quiet, stdout=quiet, stderr=quiet, cwd=cwd, env=env)
    stack.callback(server.wait)
    stack.callback(server.terminate)
    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return server
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RunError(f"{argv[0]} does not serve on port {port}") from None
            time.sleep(0.05)
