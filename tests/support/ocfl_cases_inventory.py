"""Bad objects: what an inventory says of itself and of its versions."""

import json

from tests.support.ocfl_case import CASES, UNUSED, A, Case, Change, both, case, one
from tests.support.ocfl_makers import Made

# --- the inventory ---


@case("E033")
def inventory_not_json(made: Made) -> None:
    made.raw["inventory.json"] = b'{"id": '


@case("E033")
def inventory_is_a_list(made: Made) -> None:
    made.raw["inventory.json"] = b"[]"


@case("E033", make=one)
def inventory_with_a_key_twice(made: Made) -> None:
    data = json.dumps(made.root).encode().replace(b'{"id"', b'{"head": "v1", "id"', 1)
    made.raw |= {"inventory.json": data, "v1/inventory.json": data}


@case("E036 E023 E092 E035", make=one)
def content_path_with_backslashes(made: Made) -> None:
    both(made, lambda inv: (inv["manifest"].update({A: ["v1\\content\\a.txt"]}), inv.pop("head")))


CASES += [
    Case(
        f"without_{key}", frozenset({"E036"}), lambda made, key=key: both(made, lambda inv: inv.pop(key)), one
    )
    for key in ("id", "type", "digestAlgorithm", "head")
]


@case("E037", make=one)
def id_is_empty(made: Made) -> None:
    both(made, lambda inv: inv.update(id=""))


@case("W005", make=one)
def id_is_no_uri(made: Made) -> None:
    both(made, lambda inv: inv.update(id="42"))


@case("E038", make=one)
def type_of_another_version(made: Made) -> None:
    both(made, lambda inv: inv.update(type="https://ocfl.io/1.0/spec/#inventory"))


@case("E038", make=one)
def type_unknown(made: Made) -> None:
    both(made, lambda inv: inv.update(type="inventory"))


@case("E040")
def head_is_not_the_highest(made: Made) -> None:
    both(made, lambda inv: inv.update(head="v1"))


@case("E040", make=one)
def head_is_a_number(made: Made) -> None:
    both(made, lambda inv: inv.update(head=1))


@case("E023 E041 E050", make=one)
def no_manifest(made: Made) -> None:
    both(made, lambda inv: inv.pop("manifest"))


@case("E042 E023 E092", make=one)
def content_path_elsewhere(made: Made) -> None:
    both(made, lambda inv: inv["manifest"].update({A: ["a.txt"]}))


@case("E041 E042 E043 E046", make=one)
def no_versions_block(made: Made) -> None:
    both(made, lambda inv: inv.pop("versions"))


@case("E041 E042 E043 E044 E046", make=one)
def versions_misspelt(made: Made) -> None:
    both(made, lambda inv: inv.update(Versions=inv.pop("versions")))


@case("E042 E045 E046", make=one)
def versions_a_list(made: Made) -> None:
    both(made, lambda inv: inv.update(versions=[]))


@case("E047 E107", make=one)
def version_a_string(made: Made) -> None:
    both(made, lambda inv: inv.update(versions={"v1": "first"}))


@case("E048", make=one)
def no_created(made: Made) -> None:
    both(made, lambda inv: inv["versions"]["v1"].pop("created"))


@case("E048 E107", make=one)
def no_state(made: Made) -> None:
    both(made, lambda inv: inv["versions"]["v1"].pop("state"))


def created(when: object) -> Change:
    return lambda made: both(made, lambda inv: inv["versions"]["v1"].update(created=when))


CASES += [
    Case("created_without_zone", frozenset({"E049"}), created("2026-01-01T12:00:00"), one),
    Case("created_without_seconds", frozenset({"E049"}), created("2026-01-01T12:00Z"), one),
    Case("created_no_time", frozenset({"E049"}), created(7), one),
    Case("created_no_such_day", frozenset({"E049"}), created("2026-02-30T12:00:00Z"), one),
    Case("created_of_another_form", frozenset({"E049"}), created("1 January 2026"), one),
]


@case("E050", make=one)
def state_in_other_case(made: Made) -> None:
    both(made, lambda inv: inv["versions"]["v1"].update(state={A.upper(): ["a.txt"]}))


@case("E050", make=one)
def state_not_in_manifest(made: Made) -> None:
    both(made, lambda inv: inv["versions"]["v1"]["state"].update({UNUSED: ["b.txt"]}))


@case("E050 E107", make=one)
def state_a_list(made: Made) -> None:
    both(made, lambda inv: inv["versions"]["v1"].update(state=["a.txt"]))


@case("E051", make=one)
def logical_path_no_string(made: Made) -> None:
    both(made, lambda inv: inv["versions"]["v1"].update(state={A: [1]}))


@case("E052", make=one)
def logical_path_climbs(made: Made) -> None:
    both(made, lambda inv: inv["versions"]["v1"].update(state={A: ["x/../a.txt", "b//c", "./d"]}))


@case("E053", make=one)
def logical_path_with_slash_at_an_end(made: Made) -> None:
    both(made, lambda inv: inv["versions"]["v1"].update(state={A: ["/a.txt", "b/"]}))


@case("E095", make=one)
def logical_path_twice(made: Made) -> None:
    both(made, lambda inv: inv["versions"]["v1"].update(state={A: ["a.txt", "a.txt"]}))


@case("E095", make=one)
def logical_path_a_folder_too(made: Made) -> None:
    both(made, lambda inv: inv["versions"]["v1"].update(state={A: ["a", "a-b", "a/b"]}))


@case("E054", make=one)
def user_without_name(made: Made) -> None:
    both(made, lambda inv: inv["versions"]["v1"].update(user={"address": "mailto:a@x.org"}))


@case("E094", make=one)
def message_no_string(made: Made) -> None:
    both(made, lambda inv: inv["versions"]["v1"].update(message=["why"]))


@case("W007", make=one)
def no_message(made: Made) -> None:
    both(made, lambda inv: inv["versions"]["v1"].pop("message"))


@case("W007", make=one)
def no_user(made: Made) -> None:
    both(made, lambda inv: inv["versions"]["v1"].pop("user"))


@case("W008", make=one)
def no_address(made: Made) -> None:
    both(made, lambda inv: inv["versions"]["v1"]["user"].pop("address"))


@case("W009", make=one)
def address_no_uri(made: Made) -> None:
    both(made, lambda inv: inv["versions"]["v1"]["user"].update(address="Room 42"))


@case("E102", make=one)
def unknown_key(made: Made) -> None:
    both(made, lambda inv: inv.update(colour="green"))


@case("E102", make=one)
def unknown_key_of_a_version(made: Made) -> None:
    both(made, lambda inv: inv["versions"]["v1"].update(colour="green"))
