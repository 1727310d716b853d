"""Halves: one bit of a hash, the same in Python and SQL, whole groups, never rerolled."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.core.halves import describe_halves, find_half, fix_halves, half_sql, halves_by
from analysis.store.loading import LoadOptions, load_files
from analysis.store.sql import Fragment, template
from analysis.store.workspace import Workspace

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)


@pytest.fixture
def workspace(tmp_path):
    made = Workspace(tmp_path / "w.relook")
    yield made
    made.close()


def put(workspace, rows):
    with workspace.write(create=True) as writer:
        writer.execute_many(
            Fragment("INSERT INTO items (item, split, item_id, group_id) VALUES (?, ?, ?, ?)"),
            [(number, *row) for number, row in enumerate(rows, 1)],
        )
        writer.bump("facts")


def set_seed(workspace, seed):
    with workspace.write() as writer:
        writer.execute(Fragment("UPDATE meta SET value = ? WHERE key = 'seed'", (seed,)))
        writer.forget()


def read_halves(workspace):
    with workspace.read() as snapshot:
        query = template("SELECT i.item_id, {half} FROM items i ORDER BY i.item", half=half_sql(snapshot))
        return dict(snapshot.fetch_all(query))


def test_the_halves_are_pinned_for_ever():
    # If this fails, every workspace in use would silently be searched and confirmed on other rows.
    halves = "".join(find_half("42", "eval", f"i{k}")[0] for k in range(32))
    assert halves == "cdccccccdcdcdcccdccdcccdddcddccc"
    assert "".join(find_half("42", "eval", "x", f"g{k}")[0] for k in range(16)) == "ccddcddccdcddcdc"


@given(TEXTS, TEXTS, st.none() | TEXTS)
def test_the_half_is_the_last_bit_of_an_md5_sum(split, item_id, group):
    key = f"7\x1fitem\x1f{split}\x1f{item_id}" if group is None else f"7\x1fgroup\x1f{group}"
    odd = int(hashlib.md5(key.encode(), usedforsecurity=False).hexdigest(), 16) % 2
    assert find_half("7", split, item_id, group) == ("confirmation" if odd else "discovery")


def test_sql_and_python_agree_on_ids_of_every_kind(workspace):
    ids = ["1", "007", "ä", "東京", "a b", "a\x1fb", "\U0001f600", " ", "'", '"', "%s", "NULL", *map(str, range(500))]
    rows = [("eval", name, None if k % 3 else f"g{k // 6}") for k, name in enumerate(dict.fromkeys(ids))]
    put(workspace, rows)
    for seed in ("0", "9223372036854775807"):
        set_seed(workspace, seed)
        assert read_halves(workspace) == {name: find_half(seed, split, name, group) for split, name, group in rows}


def test_about_half_the_items_are_in_each(workspace):
    with workspace.write(create=True) as writer:
        writer.execute(
            Fragment("INSERT INTO items (item, split, item_id) SELECT i + 1, 'eval', 'i' || i FROM range(20000) t(i)")
        )
    with workspace.read() as snapshot:
        halves = describe_halves(snapshot, "eval")
    assert halves.discovery + halves.confirmation == 20_000
    # Five standard deviations of 20,000 fair coins are 354.
    assert abs(halves.discovery - 10_000) < 354


def test_a_group_is_whole_in_one_half_over_all_splits(workspace):
    put(workspace, [("eval" if k % 2 else "train", f"i{k}", f"g{k // 4}") for k in range(400)])
    halves = read_halves(workspace)
    for group in range(100):
        assert len({halves[f"i{k}"] for k in range(4 * group, 4 * group + 4)}) == 1
    assert len(set(halves.values())) == 2
    with workspace.read() as snapshot:
        assert halves_by(snapshot) == "group"


def test_later_loads_move_nothing(tmp_path, workspace):
    first = tmp_path / "eval.csv"
    first.write_text("item_id,label,age\n" + "".join(f"i{k},a,{k}\n" for k in range(100)), encoding="utf-8")
    load_files(workspace, [first], LoadOptions())
    before = read_halves(workspace)
    more = tmp_path / "train.csv"
    more.write_text("item_id,label,age\n" + "".join(f"j{k},b,{k}\n" for k in range(100)), encoding="utf-8")
    load_files(workspace, [more], LoadOptions())
    after = read_halves(workspace)
    assert {name: after[name] for name in before} == before


def test_groups_that_arrive_after_the_first_use_move_nothing_and_are_told(workspace):
    put(workspace, [("eval", f"i{k}", None) for k in range(100)])
    with workspace.write() as writer:
        assert fix_halves(writer) == "item"
    before = read_halves(workspace)
    with workspace.write() as writer:
        writer.execute(Fragment("UPDATE items SET group_id = 'g' || (item // 4)"))
        writer.bump("facts")
    assert read_halves(workspace) == before
    with workspace.write() as writer:
        assert fix_halves(writer) == "item"
    with workspace.read() as snapshot:
        halves = describe_halves(snapshot)
    assert (halves.by, halves.fixed, halves.late_groups) == ("item", True, True)


def test_groups_that_arrive_before_the_first_use_count(workspace):
    put(workspace, [("eval", f"i{k}", None) for k in range(100)])
    with workspace.write() as writer:
        writer.execute(Fragment("UPDATE items SET group_id = 'g' || (item // 4)"))
        assert fix_halves(writer) == "group"
    with workspace.read() as snapshot:
        halves = describe_halves(snapshot)
    assert (halves.by, halves.fixed, halves.late_groups) == ("group", True, False)
    assert len(set(read_halves(workspace).values())) == 2


def load(workspace, folder, name, rows, *roles):
    file = folder / f"{name}.csv"
    file.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    load_files(workspace, [file], LoadOptions(roles=roles))
    with workspace.read() as snapshot:
        return describe_halves(snapshot)


def test_the_first_load_fixes_the_halves_so_that_a_later_group_role_moves_nothing(tmp_path, workspace):
    rows = [f"i{k},{'ab'[k % 2]},p{k // 4}" for k in range(200)]
    plain = load(workspace, tmp_path, "train", ["item_id,label", *(row.rpartition(",")[0] for row in rows)])
    before = read_halves(workspace)
    assert (plain.by, plain.fixed, plain.late_groups) == ("item", True, False)
    grouped = load(workspace, tmp_path, "train", ["item_id,label,person", *rows], ("group", "person"))
    assert read_halves(workspace) == before
    assert (grouped.by, grouped.fixed, grouped.late_groups) == ("item", True, True)


def test_new_items_of_known_groups_follow_their_group_into_its_half(tmp_path, workspace):
    head, role = "item_id,label,person", ("group", "person")
    load(workspace, tmp_path, "train", [head, *(f"i{k},a,p{k // 4}" for k in range(80))], role)
    before = read_halves(workspace)
    halves = load(workspace, tmp_path, "eval", [head, *(f"j{k},b,p{k // 4}" for k in range(80))], role)
    after = read_halves(workspace)
    assert {name: after[name] for name in before} == before
    assert all(after[f"j{k}"] == after[f"i{k}"] for k in range(80))
    assert (halves.by, halves.fixed, halves.late_groups) == ("group", True, False)


def test_a_workspace_whose_halves_no_load_fixed_keeps_them_when_groups_come(tmp_path, workspace):
    load(workspace, tmp_path, "train", ["item_id,label", *(f"i{k},a" for k in range(80))])
    with workspace.write() as writer:
        writer.execute(Fragment("DELETE FROM meta WHERE key = 'halves_by'"))
        writer.forget()
    before = read_halves(workspace)
    load(
        workspace, tmp_path, "train", ["item_id,label,person", *(f"i{k},a,p{k // 4}" for k in range(80))],
        ("group", "person"),
    )  # fmt: skip
    assert read_halves(workspace) == before


def test_halves_are_not_fixed_while_there_are_no_items(workspace):
    with workspace.write(create=True) as writer:
        assert fix_halves(writer) is None
        assert "halves_by" not in writer.meta


def test_two_workspaces_have_different_halves(tmp_path):
    found = []
    for name in ("a", "b"):
        made = Workspace(tmp_path / f"{name}.relook")
        put(made, [("eval", f"i{k}", None) for k in range(64)])
        found.append(read_halves(made))
        made.close()
    assert found[0] != found[1]
