"""Bad objects: manifest, fixity, sidecars, older inventories. And good ones that look odd."""

import json

from tests.support.ocfl_case import UNUSED, A, both, case, one
from tests.support.ocfl_makers import Made, digest

# --- manifest and fixity ---


@case("E023 E106 E050", make=one)
def manifest_a_list(made: Made) -> None:
    both(made, lambda inv: inv.update(manifest=[]))


@case("E107", make=one)
def manifest_entry_unused(made: Made) -> None:
    made.files["v1/content/unused"] = b"unused"
    both(made, lambda inv: inv["manifest"].update({UNUSED: ["v1/content/unused"]}))


@case("E023 E092", make=one)
def manifest_value_a_string(made: Made) -> None:
    both(made, lambda inv: inv["manifest"].update({A: "v1/content/a.txt"}))


@case("E092")
def file_missing(made: Made) -> None:
    del made.files["v1/content/a.txt"]


@case("E092")
def file_changed(made: Made) -> None:
    made.files["v1/content/a.txt"] = b"First\n"


@case("E096", make=one)
def manifest_digest_twice(made: Made) -> None:
    made.files["v1/content/again"] = b"first\n"
    both(made, lambda inv: inv["manifest"].update({A.upper(): ["v1/content/again"]}))


@case("E098 E023", make=one)
def content_path_no_string(made: Made) -> None:
    both(made, lambda inv: inv["manifest"].update({A: [None]}))


@case("E023 E099", make=one)
def content_path_climbs(made: Made) -> None:
    both(made, lambda inv: inv["manifest"].update({A: ["v1/content/../content/a.txt"]}))


@case("E023 E100", make=one)
def content_path_begins_with_slash(made: Made) -> None:
    both(made, lambda inv: inv["manifest"].update({A: ["/v1/content/a.txt"]}))


@case("E101", make=one)
def content_path_twice(made: Made) -> None:
    both(made, lambda inv: inv["manifest"].update({A: ["v1/content/a.txt", "v1/content/a.txt"]}))


@case("E092 E101", make=one)
def content_path_a_folder_too(made: Made) -> None:
    both(made, lambda inv: inv["manifest"].update({A: ["v1/content/a.txt", "v1/content/a.txt/b"]}))


@case("E055", make=one)
def fixity_misspelt(made: Made) -> None:
    both(made, lambda inv: inv.update(Fixity={}))


@case("E056", make=one)
def fixity_of_nobody_knows_what(made: Made) -> None:
    both(made, lambda inv: inv.update(fixity={"whirl": {"00": ["v1/content/a.txt"]}}))


@case("E057", make=one)
def fixity_of_no_file(made: Made) -> None:
    both(made, lambda inv: inv.update(fixity={"md5": {"0" * 32: ["v1/content/none"]}}))


@case("E057", make=one)
def fixity_algorithm_a_list(made: Made) -> None:
    both(made, lambda inv: inv.update(fixity={"md5": []}))


@case("E111", make=one)
def fixity_a_list(made: Made) -> None:
    both(made, lambda inv: inv.update(fixity=[]))


@case("E093", make=one)
def fixity_mismatch(made: Made) -> None:
    both(made, lambda inv: inv.update(fixity={"md5": {"0" * 32: ["v1/content/a.txt"]}}))


@case("E097", make=one)
def fixity_digest_twice(made: Made) -> None:
    md5 = digest(b"first\n", "md5")
    made.files["v1/content/again"] = b"first\n"
    both(made, lambda inv: inv["manifest"].update({A: ["v1/content/a.txt", "v1/content/again"]}))
    both(
        made,
        lambda inv: inv.update(
            fixity={"md5": {md5: ["v1/content/a.txt"], md5.upper(): ["v1/content/again"]}}
        ),
    )


@case("E099 E100", make=one)
def fixity_paths_climb(made: Made) -> None:
    md5 = digest(b"first\n", "md5")
    both(made, lambda inv: inv.update(fixity={"md5": {md5: ["/v1/content/a.txt", "v1/../v1/content/a.txt"]}}))


# --- sidecars and older inventories ---


@case("E058")
def no_sidecar(made: Made) -> None:
    made.raw["inventory.json.sha512"] = None


@case("E058 E059")
def sidecar_of_another_algorithm(made: Made) -> None:
    data = json.dumps(made.root).encode()
    made.raw |= {
        "inventory.json.sha512": None,
        "inventory.json.sha256": f"{digest(data, 'sha256')} inventory.json".encode(),
    }


@case("E060")
def sidecar_of_other_bytes(made: Made) -> None:
    made.raw["inventory.json.sha512"] = f"{UNUSED} inventory.json\n".encode()


@case("E061")
def sidecar_of_another_form(made: Made) -> None:
    made.raw["inventory.json.sha512"] = b"no digest at all\n"


@case("E064")
def newest_inventory_differs(made: Made) -> None:
    made.inventories["v2"]["versions"]["v2"]["message"] = "Another"


@case("E066")
def older_state_differs(made: Made) -> None:
    made.inventories["v1"]["versions"]["v1"]["state"][A] = ["other.txt"]


@case("E066")
def older_inventory_of_a_later_version(made: Made) -> None:
    made.inventories["v1"] = made.inventories["v2"]


@case("W011")
def older_message_differs(made: Made) -> None:
    made.inventories["v1"]["versions"]["v1"]["message"] = "Another"


@case("W010")
def older_inventory_missing(made: Made) -> None:
    del made.inventories["v1"]


@case("E110")
def id_changes(made: Made) -> None:
    made.inventories["v1"]["id"] = "urn:example:another"


@case("E103")
def specification_goes_back(made: Made) -> None:
    made.declarations = {"0=ocfl_object_1.0": b"ocfl_object_1.0\n"}
    both(made, lambda inv: inv.update(type="https://ocfl.io/1.0/spec/#inventory"))


def changed_algorithm() -> Made:
    """An object whose first version was addressed by sha256, and the later ones by sha512."""
    older = Made(algorithm="sha256")
    made = Made()
    made.inventories["v1"] = older.inventories["v1"]
    return made


@case("W004", make=changed_algorithm)
def algorithm_changed(made: Made) -> None:
    del made


@case("W004 E066", make=changed_algorithm)
def algorithm_changed_and_state_too(made: Made) -> None:
    state = made.inventories["v1"]["versions"]["v1"]["state"]
    state[digest(b"first\n", "sha256")], state[digest(b"second\n", "sha256")] = ["dir/b.txt"], ["a.txt"]


@case("W004 E092", make=changed_algorithm)
def algorithm_changed_and_digest_wrong(made: Made) -> None:
    right, wrong = digest(b"first\n", "sha256"), "0" * 64
    inventory = made.inventories["v1"]
    inventory["manifest"][wrong] = inventory["manifest"].pop(right)
    inventory["versions"]["v1"]["state"][wrong] = inventory["versions"]["v1"]["state"].pop(right)


# --- good ones that look odd ---


@case("")
def good(made: Made) -> None:
    del made


@case("", make=lambda: Made(spec="1.0"))
def good_of_1_0(made: Made) -> None:
    del made


@case("")
def good_upgraded(made: Made) -> None:
    made.inventories["v1"]["type"] = "https://ocfl.io/1.0/spec/#inventory"


@case("", make=lambda: Made(folder="データ"))
def good_with_another_content_folder(made: Made) -> None:
    del made


@case("")
def good_with_logs_and_extension(made: Made) -> None:
    made.files |= {"logs/1.json": b"{}", "extensions/0005-mutable-head/x": b"x"}
    made.folders.append("extensions/0001-digest-algorithms")


@case("", make=one)
def good_with_capital_digests(made: Made) -> None:
    both(
        made,
        lambda inv: (
            inv.update(manifest={A.upper(): ["v1/content/a.txt"]}),
            inv["versions"]["v1"].update(state={A.upper(): ["a.txt"]}),
        ),
    )


@case("", make=one)
def good_with_all_fixity(made: Made) -> None:
    names = ("md5", "sha1", "sha256", "sha512", "blake2b-512", "blake2b-160", "blake2b-256", "blake2b-384")
    both(
        made,
        lambda inv: inv.update(
            fixity={name: {digest(b"first\n", name): ["v1/content/a.txt"]} for name in names}
        ),
    )


@case("", make=one)
def good_with_fixity_of_extension_0009(made: Made) -> None:
    names = ("sha512/256", "size")
    both(
        made,
        lambda inv: inv.update(
            fixity={name: {digest(b"first\n", name): ["v1/content/a.txt"]} for name in names}
        ),
    )


@case("", make=one)
def good_with_names_nobody_likes(made: Made) -> None:
    made.version({"line\nfeed": b"1", "%41": b"2", "a b": b"3", "...": b"4", "é": b"5", "a\u2028b": b"6"})


@case("")
def good_without_files(made: Made) -> None:
    made.version({"a.txt": b"first\n"}, {})
