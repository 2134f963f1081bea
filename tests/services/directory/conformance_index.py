"""What every `Index` promises. An implementation proves itself by a test class that inherits from this one.

class TestMine(IndexConformance):
    def run(self, main, tmp_path): ...
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

import pytest

from tests.services.directory.naive_index import FRIENDS, NaiveIndex, listed, peer
from warren.core.entry import Metadata
from warren.core.errors import Closed, InputError, MisuseError
from warren.core.query import Query, Term, terms_of
from warren.services.directory.index.interface import COUNTED_MIN, HOLDERS_MAX, Gap, Stale

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

    from warren.core.cid import Cid
    from warren.core.peer_id import PeerId
    from warren.protocols.directory.entries import Registered
    from warren.services.directory.index.interface import Index, PublicWords, Results

ALICE, BOB, CAROL = peer("alice"), peer("bob"), peer("carol")
REPORT = Query(terms_of("report"))

Main: TypeAlias = "Callable[[Index], Coroutine[object, object, None]]"


def paths(results: Results) -> list[str]:
    return [hit.entry.path for hit in results.hits]


async def find(index: Index, text: str, asker: PeerId | None = None, **filters: object) -> list[str]:
    query = Query(terms_of(text), **filters)  # type: ignore[arg-type]
    return paths(await index.search(query, asker))


async def check(index: Index, model: NaiveIndex, query: Query, asker: PeerId | None) -> None:
    """One search finds what it must, in order."""
    results = await index.search(query, asker)
    expected = model.search(query, asker)
    assert (results.total, results.exact) == (len(expected), True)
    found: dict[object, list[tuple[object, bool]]] = {}
    for hit in results.hits:
        found.setdefault(hit.entry.cid, []).append(((hit.owner, hit.entry), hit.online))
    assert {key: dict(hits) for key, hits in found.items()} == expected
    places = [(-hit.score, hit.entry.cid, not hit.online) for hit in results.hits]
    assert places == sorted(places)


async def tell(words: PublicWords, counts: Counter[str]) -> None:
    """Take in what changed, as a summary does."""
    async for change in words.changes():
        assert not set(change.added) & set(change.removed)
        counts.update(change.added)
        counts.subtract(change.removed)
    assert min(counts.values(), default=0) >= 0


class IndexConformance:
    """Inherit and give `run`."""

    def run(self, main: Main, tmp_path: Path) -> None:
        """Run `main` with an index that is new."""
        raise NotImplementedError

    # --- what is found ------------------------------------------------------------------------------------

    def test_all_words_must_be_there_by_beginning_or_whole(self, tmp_path: Path) -> None:
        async def main(index: Index) -> None:
            await index.replace(ALICE, 1, 1, [listed("Docs/Annual Report.pdf"), listed("Docs/repo.txt")])
            assert sorted(await find(index, "repo")) == ["Docs/Annual Report.pdf", "Docs/repo.txt"]
            assert await find(index, '"repo"') == ["Docs/repo.txt"]
            assert await find(index, "REPÓ ann docs") == ["Docs/Annual Report.pdf"]
            assert await find(index, "repo nothing") == []
            assert await find(index, "eport") == []
            assert await find(index, "a") == []

        self.run(main, tmp_path)

    def test_metadata_is_found_and_comes_back(self, tmp_path: Path) -> None:
        about = Metadata(
            "A Tale", "of mice", ("Ada Lovelace", "Bob"), ("botany", "history of art"), ("green",), "MIT"
        )
        put = listed("Docs/x.pdf", metadata=about)

        async def main(index: Index) -> None:
            await index.replace(ALICE, 1, 1, [put, listed("Docs/lovelace botany.pdf")])
            for text in ("tale", "mice", "lovel", "bot ada", "green", "art"):
                assert "Docs/x.pdf" in await find(index, text)
            assert await find(index, "docs", author="ada LOVE") == ["Docs/x.pdf"]
            assert await find(index, "docs", domain="bota") == ["Docs/x.pdf"]
            assert await find(index, "docs", author="green") == []
            assert await find(index, "docs", domain="ada") == []
            (hit,) = (await index.search(Query(author="lovelace"), None)).hits
            assert hit.entry == put.entry

        self.run(main, tmp_path)

    def test_filters_narrow_a_search_or_are_one(self, tmp_path: Path) -> None:
        async def main(index: Index) -> None:
            small, large = listed("A/one.PDF", size=10), listed("A/two.txt", size=1000)
            folder = listed("A/pdf", kind="dir", size=1010)
            odd = listed("A/.pdf", size=1)
            await index.replace(ALICE, 1, 1, [small, large, folder, odd])
            assert await find(index, "a", suffixes=("pdf",)) == ["A/one.PDF"]
            assert (
                await find(index, "a", suffixes=("dir",))
                == ["A/pdf", "A/three.dir"][:1] + ["A/three.dir"] * 0
            )
            assert paths(await index.search(Query(suffixes=("txt",)), None)) == ["A/two.txt"]
            assert sorted(await find(index, "a", size_min=10, size_max=1000)) == ["A/one.PDF", "A/two.txt"]
            assert await find(index, "a", size_min=1010) == ["A/pdf"]

        self.run(main, tmp_path)

    @pytest.mark.parametrize(
        "text",
        [
            '"',
            '" OR "',
            "a OR b",
            "NOT",
            "NEAR(a b)",
            "name : x",
            "*",
            "x*",
            "^x",
            "a\0b",
            "{name}",
            "-",
            "--",
        ],
    )
    def test_what_is_asked_for_is_never_taken_for_a_command(self, tmp_path: Path, text: str) -> None:
        model = NaiveIndex()
        entries = [listed("S/a b or.txt"), listed("S/not near.txt"), listed("S/x name.txt")]
        model.replace(ALICE, 1, 1, entries)
        queries = [
            Query((Term(text),)),
            Query((Term(text, whole=True), Term("s"))),
            Query((Term("s"),), author=text),
            Query((Term("s"),), domain=text),
            Query(author=text),
            Query((Term("s"),), suffixes=(text,)),
            Query((Term("s"),), suffixes=(text, "txt")),
        ]

        async def main(index: Index) -> None:
            await index.replace(ALICE, 1, 1, entries)
            for query in queries:
                await check(index, model, query, None)

        self.run(main, tmp_path)

    def test_name_and_title_weigh_more_than_folders_whole_words_more_than_beginnings(
        self, tmp_path: Path
    ) -> None:
        async def main(index: Index) -> None:
            entries = [
                listed("report/minutes of may.txt", "folder"),
                listed("x/reporting.txt", "beginning"),
                listed("x/report.txt", "name"),
                listed("x/report of all that was said in may.txt", "long"),
                listed("x/minutes.txt", "title", metadata=Metadata(title="Report")),
            ]
            await index.replace(ALICE, 1, 1, entries)
            found = [path.partition("/")[2] for path in await find(index, "report")]
            assert set(found[:2]) == {"report.txt", "minutes.txt"}
            assert found[-1] == "minutes of may.txt"

        self.run(main, tmp_path)

    def test_pages_follow_one_another_without_gap_or_repetition(self, tmp_path: Path) -> None:
        async def main(index: Index) -> None:
            await index.replace(ALICE, 1, 1, [listed(f"A/report {n}.txt") for n in range(25)])
            await index.replace(
                BOB, 1, 1, [listed(f"B/report {n}.txt", f"A/report {n}.txt") for n in range(25)]
            )
            whole = await index.search(REPORT, None)
            assert (whole.total, whole.exact, len(whole.hits)) == (25, True, 50)
            pages = [
                await index.search(Query(REPORT.terms, limit=7, after=n), None) for n in (0, 7, 14, 21, 28)
            ]
            assert [hit for page in pages for hit in page.hits] == list(whole.hits)
            assert {page.total for page in pages} == {25}

        self.run(main, tmp_path)

    def test_more_than_can_be_counted_is_said_to_be_more(self, tmp_path: Path) -> None:
        async def main(index: Index) -> None:
            many = [listed(f"report/{n}", kind="dir") for n in range(COUNTED_MIN + 320)]
            best = listed("x/what was said at last in the report.txt")
            await index.replace(ALICE, 1, 1, [*many, best])
            results = await index.search(REPORT, None)
            assert not results.exact
            assert results.total >= COUNTED_MIN
            assert results.hits[0].entry == best.entry

        self.run(main, tmp_path)

    def test_whole_words_come_first_however_many_shorter_names_begin_with_them(self, tmp_path: Path) -> None:
        async def main(index: Index) -> None:
            many = [listed(f"S/reporting yearly {n}") for n in range(6 * COUNTED_MIN)]
            await index.replace(ALICE, 1, 1, many)
            await index.replace(BOB, 1, 1, [listed("S/this is the report of year 9")])
            assert (await find(index, "report year"))[0] == "S/this is the report of year 9"
            assert (await find(index, "report yea"))[0] == "S/this is the report of year 9"
            assert (await find(index, '"report" ye'))[0] == "S/this is the report of year 9"

        self.run(main, tmp_path)

    def test_long_lists_come_page_by_page_each_content_once_in_one_order(self, tmp_path: Path) -> None:
        async def main(index: Index) -> None:
            short = [listed(f"report/{n}", f"{n}", kind="dir") for n in range(COUNTED_MIN // 2)]
            many = [listed(f"S/reporting {n}", f"{n}") for n in range(9 * COUNTED_MIN)]
            late = [listed(f"S/the last report but {n}", f"{2 * n}") for n in range(2 * COUNTED_MIN)]
            await index.replace(ALICE, 1, 1, short)
            await index.replace(BOB, 1, 1, many)
            await index.replace(CAROL, 1, 1, late)
            pages: list[Cid] = []
            for after in range(0, 9 * COUNTED_MIN, 35):
                page = await index.search(Query(REPORT.terms, limit=35, after=after), None)
                pages += dict.fromkeys(hit.entry.cid for hit in page.hits)
            assert len(pages) == len(set(pages)) == 9 * COUNTED_MIN
            whole = await index.search(Query(REPORT.terms, limit=500), None)
            assert list(dict.fromkeys(hit.entry.cid for hit in whole.hits)) == pages

        self.run(main, tmp_path)

    def test_entries_come_back_whole_however_many_stand_before_them(self, tmp_path: Path) -> None:
        async def main(index: Index) -> None:
            said = Metadata(title="Cats of the lighthouse", authors=("Ada",))
            many = [
                listed(f"S/report {n}.txt", f"{n // 2}", size=n, metadata=said if n % 3 else Metadata())
                for n in range(2 * COUNTED_MIN + 100)
            ]
            await index.replace(ALICE, 1, 1, many)
            results = await index.search(Query(REPORT.terms, limit=500), None)
            assert (results.total, results.exact) == (COUNTED_MIN + 50, True)
            by_path = {one.entry.path: one.entry for one in many}
            assert {hit.entry.path: hit.entry for hit in results.hits} == by_path

        self.run(main, tmp_path)

    # --- holders ------------------------------------------------------------------------------------------

    def test_many_holders_of_one_content_leave_room_for_others(self, tmp_path: Path) -> None:
        async def main(index: Index) -> None:
            for number in range(HOLDERS_MAX + 9):
                await index.replace(peer(number), 1, 1, [listed("S/report.txt")])
            await index.replace(BOB, 1, 1, [listed("S/report of bob.txt")])
            late = peer(HOLDERS_MAX + 8)
            index.set_online(late, online=True)
            results = await index.search(Query(REPORT.terms, limit=2), None)
            assert results.total == 2
            assert paths(results) == ["S/report.txt"] * HOLDERS_MAX + ["S/report of bob.txt"]
            assert (results.hits[0].owner, results.hits[0].online) == (late, True)
            assert len({hit.owner for hit in results.hits[:-1]}) == HOLDERS_MAX

        self.run(main, tmp_path)

    def test_what_one_holder_removes_others_still_have(self, tmp_path: Path) -> None:
        async def main(index: Index) -> None:
            for owner in (ALICE, BOB, CAROL):
                await index.replace(owner, 1, 1, [listed("S/report.txt")])
            for owner, left in ((ALICE, {BOB, CAROL}), (CAROL, {BOB}), (BOB, set())):
                await index.apply(owner, 1, 1, 2, [], ["S/report.txt"])
                assert {hit.owner for hit in (await index.search(REPORT, None)).hits} == left
            await index.apply(BOB, 1, 2, 3, [listed("S/report.txt")], [])
            assert [hit.owner for hit in (await index.search(REPORT, None)).hits] == [BOB]

        self.run(main, tmp_path)

    def test_who_goes_offline_is_not_online_in_the_very_next_search(self, tmp_path: Path) -> None:
        async def main(index: Index) -> None:
            index.set_online(ALICE, online=True)
            await index.replace(ALICE, 1, 1, [listed("S/report.txt")])
            assert await find(index, "report", online=True) == ["S/report.txt"]
            index.set_online(ALICE, online=False)
            assert await find(index, "report", online=True) == []
            (hit,) = (await index.search(REPORT, None)).hits
            assert not hit.online

        self.run(main, tmp_path)

    # --- audiences ----------------------------------------------------------------------------------------

    def test_who_is_not_admitted_sees_no_trace(self, tmp_path: Path) -> None:
        async def main(index: Index) -> None:
            await index.replace(ALICE, 1, 1, [listed("S/report.txt")])
            before = [await index.search(REPORT, asker) for asker in (BOB, None)]
            secret = [listed(f"S/report {n}.txt", audience=FRIENDS) for n in range(COUNTED_MIN + 305)]
            secret.append(listed("T/report.txt", "S/report.txt", audience=FRIENDS))
            await index.apply(ALICE, 1, 1, 2, secret, [])
            assert [await index.search(REPORT, asker) for asker in (BOB, None)] == before
            index.set_admits(
                lambda owner, audience, asker: (owner, audience) == (ALICE, FRIENDS) and asker != CAROL
            )
            assert await index.search(REPORT, CAROL) == before[0]
            assert await index.search(REPORT, None) == before[1]
            assert (await index.search(REPORT, BOB)).total >= COUNTED_MIN

        self.run(main, tmp_path)

    # --- positions ----------------------------------------------------------------------------------------

    def test_a_delta_that_does_not_follow_is_refused(self, tmp_path: Path) -> None:
        async def main(index: Index) -> None:
            with pytest.raises(Gap) as caught:
                await index.apply(ALICE, 1, 0, 1, [listed("S/report.txt")], [])
            assert caught.value.position is None
            await index.replace(ALICE, 2, 5, [])
            for epoch, since in ((2, 6), (3, 5), (1, 5)):
                with pytest.raises(Gap) as caught:
                    await index.apply(ALICE, epoch, since, since + 1, [listed("S/report.txt")], [])
                assert caught.value.position == (2, 5)
            with pytest.raises(MisuseError):
                await index.apply(ALICE, 2, 5, 4, [], [])
            assert index.position(ALICE) == (2, 5)
            assert await find(index, "report") == []

        self.run(main, tmp_path)

    def test_who_holds_one_content(self, tmp_path: Path) -> None:
        async def main(index: Index) -> None:
            content = listed("S/report.txt", "same").entry.cid
            query = Query(cid=content)
            await index.replace(ALICE, 1, 1, [listed("S/report.txt", "same"), listed("S/map.txt")])
            await index.replace(BOB, 1, 1, [listed("T/other.txt", "same", audience=FRIENDS)])
            await index.replace(CAROL, 1, 1, [listed("T/hers.txt", "same")])
            index.set_online(CAROL, True)
            found = await index.search(query, None)
            assert [(hit.owner, hit.entry.path, hit.online) for hit in found.hits] == [
                (CAROL, "T/hers.txt", True),
                (ALICE, "S/report.txt", False),
            ]
            assert paths(await index.search(Query(terms_of("hers"), cid=content), None)) == ["T/hers.txt"]
            assert paths(await index.search(Query(terms_of("map"), cid=content), None)) == []
            await index.apply(ALICE, 1, 1, 2, [], ["S/report.txt"])
            await index.forget(CAROL)
            assert paths(await index.search(query, None)) == []

        self.run(main, tmp_path)

    def test_a_delta_counts_once_and_may_overlap(self, tmp_path: Path) -> None:
        async def main(index: Index) -> None:
            await index.replace(ALICE, 1, 1, [listed("S/a report.txt")])
            await index.apply(ALICE, 1, 1, 3, [listed("S/b report.txt")], ["S/a report.txt", "S/never"])
            await index.apply(ALICE, 1, 3, 4, [], ["S/b report.txt"])
            await index.apply(ALICE, 1, 1, 3, [listed("S/b report.txt")], ["S/a report.txt"])
            assert (await find(index, "report"), index.size(ALICE)) == ([], 0)
            await index.apply(ALICE, 1, 2, 9, [listed("S/c report.txt")], ["S/b report.txt"])
            assert (await find(index, "report"), index.position(ALICE)) == (["S/c report.txt"], (1, 9))

        self.run(main, tmp_path)

    def test_an_entry_replaces_the_one_at_its_path(self, tmp_path: Path) -> None:
        async def main(index: Index) -> None:
            before, after = listed("S/report.txt", "before"), listed("S/report.txt", "after")
            await index.replace(ALICE, 1, 1, [before])
            for seq, put, removed in (
                (2, after, []),
                (3, after, ["S/report.txt"]),
                (4, before, ["S/report.txt"]),
            ):
                await index.apply(ALICE, 1, seq - 1, seq, [put], removed)
                assert [hit.entry for hit in (await index.search(REPORT, None)).hits] == [put.entry]
            assert index.size(ALICE) == 1

        self.run(main, tmp_path)

    def test_owners_who_come_at_once_with_the_same_are_all_holders(self, tmp_path: Path) -> None:
        async def main(index: Index) -> None:
            several = [peer(number) for number in range(5)]
            await asyncio.gather(*(index.replace(one, 1, 1, [listed("S/report.txt")]) for one in several))
            assert {hit.owner for hit in (await index.search(REPORT, None)).hits} == set(several)

        self.run(main, tmp_path)

    def test_an_old_snapshot_is_refused_an_equal_one_is_taken_again(self, tmp_path: Path) -> None:
        async def main(index: Index) -> None:
            await index.replace(ALICE, 2, 5, [listed("S/old report.txt"), listed("S/report.txt")])
            for epoch, seq in ((2, 4), (1, 99)):
                with pytest.raises(Stale) as caught:
                    await index.replace(ALICE, epoch, seq, [])
                assert caught.value.position == (2, 5)
            await index.replace(ALICE, 2, 5, [listed("S/report.txt")])
            assert (await find(index, "report"), index.size(ALICE)) == (["S/report.txt"], 1)
            await index.replace(ALICE, 3, 0, [])
            assert (await find(index, "report"), index.position(ALICE)) == ([], (3, 0))

        self.run(main, tmp_path)

    @pytest.mark.parametrize(("epoch", "seq"), [(1 << 63, 0), (0, 1 << 63), (-1, 0)])
    def test_positions_have_a_range(self, tmp_path: Path, epoch: int, seq: int) -> None:
        async def main(index: Index) -> None:
            with pytest.raises(InputError):
                await index.replace(ALICE, epoch, seq, [])

        self.run(main, tmp_path)

    @pytest.mark.parametrize(
        "bad", [listed("S/x", size=1 << 63), listed("S/\ud800", "x"), listed("S/x", audience=1 << 70)]
    )
    def test_an_entry_that_cannot_be_kept_harms_its_owner_alone(self, tmp_path: Path, bad: object) -> None:
        async def main(index: Index) -> None:
            good = index.replace(BOB, 1, 1, [listed("S/report.txt")])
            answers = await asyncio.gather(
                index.replace(ALICE, 1, 1, [listed("S/report of alice.txt"), bad]),  # type: ignore[list-item]
                good,
                return_exceptions=True,
            )
            assert isinstance(answers[0], InputError)
            assert (await find(index, "report"), index.position(ALICE)) == (["S/report.txt"], None)

        self.run(main, tmp_path)

    # --- at once, and in between --------------------------------------------------------------------------

    def test_every_search_sees_a_snapshot_whole_or_not_at_all(self, tmp_path: Path) -> None:
        old = [listed(f"S/old report {n}.txt") for n in range(40)]
        new = [listed(f"S/new report {n}.txt") for n in range(150)] + [
            listed(f"S/filler {n}.txt") for n in range(2000)
        ]

        async def main(index: Index) -> None:
            await index.replace(ALICE, 1, 1, old)
            replacing = asyncio.ensure_future(index.replace(ALICE, 1, 2, new))
            totals, query = [], Query(REPORT.terms, limit=200)
            while not replacing.done():
                totals.append((await index.search(query, None)).total)
            await replacing
            totals.append((await index.search(query, None)).total)
            assert (totals[0], totals[-1]) == (40, 150)
            assert totals == sorted(totals)
            assert set(totals) == {40, 150}

        self.run(main, tmp_path)

    def test_a_snapshot_that_breaks_off_leaves_what_was(self, tmp_path: Path) -> None:
        def breaks_off() -> Iterator[Registered]:
            yield from (listed(f"S/new report {n}.txt") for n in range(1200))
            raise LookupError("no more")

        async def main(index: Index) -> None:
            await index.replace(ALICE, 1, 1, [listed("S/report.txt")])
            with pytest.raises(LookupError):
                await index.replace(ALICE, 1, 2, breaks_off())
            assert (await find(index, "report"), index.position(ALICE)) == (["S/report.txt"], (1, 1))
            await index.apply(ALICE, 1, 1, 2, [listed("S/report 2.txt")], [])
            assert len(await find(index, "report")) == 2

        self.run(main, tmp_path)

    def test_a_small_change_does_not_wait_for_a_large_snapshot(self, tmp_path: Path) -> None:
        async def main(index: Index) -> None:
            await index.replace(BOB, 1, 1, [])
            large = asyncio.ensure_future(
                index.replace(ALICE, 1, 1, [listed(f"S/filler {n}.txt") for n in range(6000)])
            )
            await asyncio.sleep(0)
            await index.apply(BOB, 1, 1, 2, [listed("S/report.txt")], [])
            assert not large.done()
            await large
            assert index.size(ALICE) == 6000

        self.run(main, tmp_path)

    def test_changes_of_one_owner_keep_their_order(self, tmp_path: Path) -> None:
        async def main(index: Index) -> None:
            await asyncio.gather(
                index.replace(ALICE, 1, 1, [listed(f"S/filler {n}.txt") for n in range(1500)]),
                index.apply(ALICE, 1, 1, 2, [listed("S/report.txt")], []),
                index.replace(ALICE, 1, 3, [listed("S/report 3.txt")]),
                index.apply(ALICE, 1, 3, 4, [listed("S/report 4.txt")], []),
            )
            assert sorted(await find(index, "report")) == ["S/report 3.txt", "S/report 4.txt"]
            assert (index.position(ALICE), index.size(ALICE)) == ((1, 4), 2)

        self.run(main, tmp_path)

    def test_what_is_forgotten_is_gone_at_once(self, tmp_path: Path) -> None:
        async def main(index: Index) -> None:
            await index.replace(ALICE, 1, 1, [listed("S/report.txt"), listed("S/alices.txt")])
            await index.replace(BOB, 1, 1, [listed("S/report.txt")])
            forgetting = asyncio.ensure_future(index.forget(ALICE))
            await asyncio.sleep(0)
            assert (index.position(ALICE), index.size(ALICE)) == (None, 0)
            assert [hit.owner for hit in (await index.search(REPORT, None)).hits] == [BOB]
            await forgetting
            await index.forget(CAROL)
            with pytest.raises(Gap):
                await index.apply(ALICE, 1, 1, 2, [], [])
            await index.replace(ALICE, 1, 1, [listed("S/alices.txt")])
            assert await find(index, "alices") == ["S/alices.txt"]

        self.run(main, tmp_path)

    def test_words_are_told_of_public_entries_of_those_online(self, tmp_path: Path) -> None:
        async def main(index: Index) -> None:
            view, counts = index.public_words(), Counter[str]()
            index.set_online(ALICE, online=True)
            await index.replace(ALICE, 1, 1, [listed("S/a.txt"), listed("S/secret.txt", audience=FRIENDS)])
            await index.replace(BOB, 1, 1, [listed("S/b.txt")])
            await tell(view, counts)
            assert +counts == Counter(["s", "a", "txt"])
            index.set_online(BOB, online=True)
            await index.apply(ALICE, 1, 1, 2, [listed("S/c.txt")], ["S/a.txt"])
            late = Counter[str]()
            for one, seen in ((view, counts), (index.public_words(), late)):
                await tell(one, seen)
                assert +seen == Counter(["s", "c", "txt", "s", "b", "txt"])
            assert [change async for change in view.changes()] == []
            index.set_online(ALICE, online=False)
            await index.forget(BOB)
            await tell(view, counts)
            assert +counts == Counter()

        self.run(main, tmp_path)

    def test_closed_is_closed(self, tmp_path: Path) -> None:
        async def main(index: Index) -> None:
            await index.close()
            await index.close()
            with pytest.raises(Closed):
                await index.search(REPORT, None)
            with pytest.raises(Closed):
                await index.replace(ALICE, 1, 1, [])

        self.run(main, tmp_path)
