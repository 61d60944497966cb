from hypothesis import given
from hypothesis import strategies as st

from storage.catalogue.paging import Key, paged


@given(st.sets(st.tuples(st.text(max_size=2), st.text(max_size=2)), max_size=30), st.integers(1, 7))
def test_all_rows_come_once_and_in_order_whatever_a_page_holds(rows: set[Key], size: int) -> None:
    ordered = sorted(rows)

    def page(after: Key | None) -> list[Key]:
        return [row for row in ordered if after is None or row > after][:size]

    assert list(paged(page, lambda row: row)) == ordered
