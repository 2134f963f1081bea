"""A folder that is changed in place is the one that is built from all its entries."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warren.core.errors import InputError
from warren.services.files.dag import build, patch
from warren.services.files.dag.build import build_folder
from warren.services.files.dag.patch import NotSharded, patch_folder
from warren.services.files.dag.pb import RAW_CID_PREFIX, Link

if TYPE_CHECKING:
    from collections.abc import Iterator


def link(name: str, content: int) -> Link:
    return Link(RAW_CID_PREFIX + hashlib.sha256(b"%d" % content).digest(), name, content)


names = st.integers(0, 40).map(str)
trees = st.dictionaries(names, st.integers(0, 300), min_size=1)


@contextmanager
def narrow(values: int) -> Iterator[None]:
    """Hashes of so few values a byte that shards lie deep; folders are sharded from the first entry on."""

    def hashed(data: bytes) -> bytes:
        digest = hashlib.sha256(data).digest()
        return bytes(byte % values for byte in digest[:7]) + digest[7:8]

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(build, "FOLDER_BYTES_MAX", 0)
        for module in (build, patch):
            monkeypatch.setattr(module, "murmur3_x64_64", hashed)
        yield


@pytest.mark.parametrize("values", [1, 2, 256])
@given(trees, st.lists(st.dictionaries(names, st.none() | st.integers(0, 300)), max_size=4))
@settings(deadline=None)
def test_the_same_as_from_scratch(
    values: int, tree: dict[str, int], changes: list[dict[str, int | None]]
) -> None:
    with narrow(values):
        compare(tree, changes)


def compare(tree: dict[str, int], changes: list[dict[str, int | None]]) -> None:
    try:
        root, blocks = build_folder([link(*one) for one in tree.items()])
    except InputError:  # two names with one hash
        return
    kept = {block.cid: block.data for block in blocks}
    for some in changes:
        tree = {name: content for name, content in (tree | some).items() if content is not None}
        if not tree:
            return
        wanted = {name: None if content is None else link(name, content) for name, content in some.items()}
        try:
            expected, scratch = build_folder([link(*one) for one in tree.items()])
        except InputError:
            with pytest.raises(InputError):
                patch_folder(root.cid, kept.__getitem__, wanted)
            return
        patched = patch_folder(root.cid, kept.__getitem__, wanted)
        assert patched.root == expected
        for cid in patched.dropped:
            del kept[cid]
        kept |= {block.cid: block.data for block in patched.blocks}
        assert kept == {block.cid: block.data for block in scratch}
        root = expected


def test_what_is_one_block_or_not_there_is_refused() -> None:
    root, blocks = build_folder([link("a", 1)])
    with pytest.raises(NotSharded):
        patch_folder(root.cid, lambda _: blocks[0].data, {})
    with pytest.raises(KeyError):
        patch_folder(root.cid, dict[bytes, bytes]().__getitem__, {})
