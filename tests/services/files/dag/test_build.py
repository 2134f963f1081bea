from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.services.files.dag.trees import build
from tests.support import require
from warren.core.cid import Cid
from warren.core.errors import InputError
from warren.services.files.dag import pb, unixfs
from warren.services.files.dag.build import FileBuilder, build_folder, build_symlink
from warren.services.files.dag.pb import RAW_CID_PREFIX

if TYPE_CHECKING:
    from warren.services.files.dag.pb import Block, Link

VECTORS = Path(__file__).parent.parent / "vectors"
JS_IMPORTER = Path(__file__).parents[4] / ".peers" / "unixfs"


@pytest.mark.parametrize("case", json.loads((VECTORS / "vectors.json").read_text()), ids=lambda c: c["name"])
def test_same_ids_as_the_js_importer(case: dict[str, Any]) -> None:
    root = build(case["tree"], [])
    assert (str(Cid.from_bytes(root.cid)), root.size) == (case["cid"], case["size"])


@pytest.mark.interop_js
def test_same_ids_as_the_js_importer_on_random_trees(tmp_path: Path) -> None:
    require(
        (JS_IMPORTER / "node_modules" / "ipfs-unixfs-importer").is_dir(),
        "the JS importer: python tests/interop/install.py unixfs",
    )
    rng = random.Random()
    cases = [{"name": str(i), "tree": random_tree(rng, 0)} for i in range(25)]
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    script = (VECTORS / "make.mjs").read_text()
    made = subprocess.run(
        ["node", "--input-type=module", "-", str(tmp_path / "cases.json")],
        input=script, cwd=JS_IMPORTER, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    for case in json.loads(made.stdout):
        root = build(case["tree"], [])
        assert (str(Cid.from_bytes(root.cid)), root.size) == (case["cid"], case["size"]), case["tree"]


def random_tree(rng: random.Random, depth: int) -> dict[str, Any]:
    kind = rng.choice(["file", "file", "link", "folder", "folder"]) if depth else "folder"
    if kind == "link":
        return {"link": "../" * rng.randrange(3) + rng.choice(["a", "ä/b", "日本"])}
    if kind == "file" or depth > 3:
        return {
            "bytes": rng.choice([0, 1, 1023, 1025, 1 << 20, (1 << 20) + 1, 2_500_000]),
            "seed": rng.randrange(99),
        }
    names = {
        rng.choice("abcüñ日😀Z~.") * rng.randrange(1, 5) + str(rng.randrange(50))
        for _ in range(rng.randrange(6))
    }
    tree: dict[str, Any] = {"folder": {name: random_tree(rng, depth + 1) for name in names}}
    if rng.random() < 0.1:
        tree["many"] = {
            "count": rng.randrange(4000, 6000),
            "pattern": "ß#",
            "bytes": 3,
            "seed": rng.randrange(9),
        }
    return tree


def test_subfolders_count_towards_the_threshold() -> None:
    """Kubo and IPIP-499 count every link; the JS importer forgets subfolders, so this has no vector."""
    empty, _ = build_folder([])
    names = [f"{i:06}" for i in range(5600)]
    root, blocks = build_folder([empty._replace(name=name) for name in names])
    data = unixfs.decode(pb.decode(next(block.data for block in blocks if block.cid == root.cid))[1])
    assert data.type is unixfs.NodeType.HAMT_SHARD
    assert len(blocks) > 200


def test_blocks_are_complete_and_add_up() -> None:
    blocks: list[Block] = []
    root = build(
        {"folder": {"a": {"folder": {}, "many": {"count": 5000, "pattern": "#", "bytes": 9, "seed": 1}}}},
        blocks,
    )
    held = {block.cid: block.data for block in blocks}

    def total(link: Link) -> int:
        if link.is_raw:
            return link.size
        block = held.pop(link.cid)
        assert pb.node_cid(block) == link.cid
        return len(block) + sum(map(total, pb.decode(block)[0]))

    assert total(root) == root.size
    assert not held


def test_a_folder_refuses_the_same_name_twice() -> None:
    empty, _ = build_folder([])
    with pytest.raises(InputError, match="twice"):
        build_folder([empty._replace(name="a"), empty._replace(name="a")])


def test_names_that_collide_in_the_whole_hash_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warren.services.files.dag.build.murmur3_x64_64", lambda _: bytes(8))
    empty, _ = build_folder([])
    with pytest.raises(InputError, match="collide"):
        build_folder([empty._replace(name=f"{i:0100}") for i in range(2500)])


def test_a_symlink_target_is_bounded() -> None:
    with pytest.raises(InputError, match="longer"):
        build_symlink("a" * 4097)


def test_three_levels_of_a_file() -> None:
    builder = FileBuilder()
    for i in range(1024 * 1024 + 1):
        builder.add(i.to_bytes(32), 1 << 20)
    root = builder.finish()
    links, data = pb.decode(builder.blocks[-1].data)
    assert root.cid == builder.blocks[-1].cid
    assert [link.is_raw for link in links] == [False, False]
    assert unixfs.decode(data).file_size == (1024 * 1024 + 1) << 20
    last_links, _ = pb.decode({b.cid: b.data for b in builder.blocks}[links[1].cid])
    assert len(last_links) == 1
    assert not last_links[0].cid.startswith(RAW_CID_PREFIX)
