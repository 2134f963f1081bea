"""Real processes on loopback: two super-peers that know nothing of each other but the same Redis."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from tests.services.directory.fleet.redis_server import free_port, redis_server
from tests.services.directory.processes import Peer, eventually
from warren.frontends.home import Home

if TYPE_CHECKING:
    from pathlib import Path


def is_connected(peer: Peer) -> bool:
    return peer.connected == 1


def finds_both(peer: Peer) -> bool:
    return len(peer.search("map", online=True, ttl=0)) == 2


def test_what_is_shared_with_one_super_peer_is_found_at_the_other(tmp_path: Path) -> None:
    for name in ("anna", "ben"):
        (tmp_path / "shared" / name).mkdir(parents=True)
        (tmp_path / "shared" / name / f"map of {name}.pdf").write_bytes(f"by {name}".encode())
    with ExitStack() as stack:
        server = stack.enter_context(redis_server(tmp_path / "redis", "--requirepass", "open sesame"))
        url = server.url.replace("redis://", "redis://:open%20sesame@")

        def peer(name: str, role: str, *words: str) -> Peer:
            made = Peer(tmp_path, name, role)
            stack.callback(made.clear_up)
            made.begin_with(*words)
            made.wait_until_ready()
            return made

        sam, sue = peer("sam", "super", "--store", url), peer("sue", "super", "--store", url)
        anna = peer("anna", "weak", "--bootstrap", sam.address)
        ben = peer("ben", "weak", "--bootstrap", sue.address)
        for one in (anna, ben):
            eventually(partial(is_connected, one))
            one.share(tmp_path / "shared" / one.name)
        for asker, holder in ((ben, anna), (anna, ben)):
            eventually(partial(finds_both, asker))
            (hit,) = asker.search(f"map of {holder.name}", ttl=0)
            assert [one["peer_id"] for one in hit["holders"]] == [holder.status["peer_id"]]
        store = sam.client.get("status")["store"]
        assert (store["problem"], store["waiting"]) == ("", 0)
        assert store["elsewhere"] == 2  # sue and ben
        assert store["store"] in sam.ok("status")
        anna.ok("down")
        eventually(lambda: len(ben.search("map", online=True, ttl=0)) == 1)
        assert len(ben.search("map", ttl=0)) == 2
        server.kill()
        eventually(lambda: sue.client.get("status")["store"]["problem"])
        assert len(ben.search("map", ttl=0)) == 2
        for one in (sam, sue):
            said = one.ok("status") + Home(one.home).log_file.read_text()
            assert "cannot be reached" in said
            assert "sesame" not in said


def test_what_is_wrong_with_a_store_is_said_at_the_start(tmp_path: Path) -> None:
    sam = Peer(tmp_path, "sam", "super")
    nobody = f"redis://:sesame@127.0.0.1:{free_port()}/0"
    for words, code, said in (
        (("--role", "super", "--store", nobody), 6, "cannot be reached"),
        (
            ("--role", "super", "--store", "http://:sesame@localhost"),
            2,
            "--store: directory.store must begin with",
        ),
        (("--role", "weak", "--store", nobody), 2, "directory.store is for super-peers"),
        (("--store", nobody), 2, "--role super"),
        (("-d", "--role", "super", "--store", nobody), 6, "cannot be reached"),
    ):
        done = sam.warren("up", "--name", "sam", "--listen", "/ip4/127.0.0.1/tcp/0", *words)
        assert done.returncode == code, done.stderr
        assert said in done.stderr
        assert "sesame" not in done.stderr + done.stdout
    sam.environment["WARREN_DIRECTORY_STORE"] = nobody
    shown = sam.warren("config", "show", "directory").stdout
    assert "sesame" not in shown + sam.warren("config", "check").stderr
