"""Bad objects: their root, their versions, their digests."""

import json

from tests.support.ocfl_case import A, both, case, one, one_of
from tests.support.ocfl_makers import Made, digest, padded

# --- the root of the object ---


@case("E001")
def extra_file(made: Made) -> None:
    made.files["extra.txt"] = b"x"


@case("E001")
def extra_folder(made: Made) -> None:
    made.files["other/extra.txt"] = b"x"


@case("E001")
def version_is_a_file(made: Made) -> None:
    made.files["v3"] = b"x"


@case("E001 E002")
def declaration_is_a_folder(made: Made) -> None:
    made.declarations = {}
    made.files["0=ocfl_object_1.1/x"] = b"x"


@case("E003")
def no_declaration(made: Made) -> None:
    made.declarations = {}


@case("E003")
def two_declarations(made: Made) -> None:
    made.declarations["0=ocfl_object_1.0"] = b"ocfl_object_1.0\n"


@case("E003 E063", make=one)
def nothing_but_content(made: Made) -> None:
    made.declarations, made.files, made.inventories = {}, {"v1/content/x": b"x"}, {}


@case("E001 E003 E004")
def declaration_without_equals_sign(made: Made) -> None:
    made.declarations = {"0_ocfl_object_1.1": b"ocfl_object_1.1\n"}


@case("E003 E005")
def declaration_with_another_tag(made: Made) -> None:
    made.declarations = {"1=ocfl_object_1.1": b"ocfl_object_1.1\n"}


@case("E003 E006")
def declaration_of_another_version(made: Made) -> None:
    made.declarations = {"0=ocfl_object_9.9": b"ocfl_object_9.9\n"}


@case("E007")
def declaration_without_newline(made: Made) -> None:
    made.declarations = {"0=ocfl_object_1.1": b"ocfl_object_1.1"}


@case("E063")
def no_inventory(made: Made) -> None:
    made.raw |= {"inventory.json": None}


@case("E034 E063")
def inventory_in_capitals(made: Made) -> None:
    made.raw |= {"inventory.json": None, "Inventory.JSON": json.dumps(made.root).encode()}


@case("E090")
def link_in_the_root(made: Made) -> None:
    made.links["logs"] = "v1"


@case("E067")
def file_among_extensions(made: Made) -> None:
    made.files["extensions/readme.txt"] = b"x"


@case("W013")
def unregistered_extension(made: Made) -> None:
    made.files["extensions/own/config.json"] = b"{}"


# --- versions ---


@case("E008", make=one)
def no_versions(made: Made) -> None:
    made.files = {}
    del made.inventories["v1"]
    made.root.update(manifest={}, versions={})


@case("E009", make=one)
def begins_with_two(made: Made) -> None:
    made.name = "v{}".format
    made.files = {"v2/content/a.txt": b"first\n"}
    del made.inventories["v1"]
    made.root.update(
        head="v2", manifest={A: ["v2/content/a.txt"]}, versions={"v2": made.root["versions"]["v1"]}
    )
    made.inventories["v2"] = made.root


@case("E010 W010")
def gap(made: Made) -> None:
    made.root["versions"]["v4"] = made.head
    made.root["head"] = "v4"
    made.folders.append("v4")


def nine() -> Made:
    made = Made(name=padded)
    made.version({"a.txt": b"first\n"})
    return made


@case("E010 E011 E013 W001 W010", make=nine)
def padding_used_up(made: Made) -> None:
    made.root["versions"]["v10"] = made.head
    made.root["head"] = "v10"
    made.folders.append("v10")


@case("E012 E013 W010", make=one)
def mixed_padding(made: Made) -> None:
    made.root["versions"]["v02"] = made.head
    made.root["head"] = "v02"
    made.folders.append("v02")


@case("E014 E023 E092", make=one)
def content_path_in_another_spelling(made: Made) -> None:
    both(made, lambda inv: inv["manifest"].update({A: ["v01/content/a.txt"]}))


@case("E015")
def file_in_version_folder(made: Made) -> None:
    made.files["v1/stray.txt"] = b"x"


@case("E016 E092", make=one)
def no_content_folder(made: Made) -> None:
    made.files = {}


@case("E017", make=one)
def content_directory_with_slash(made: Made) -> None:
    both(made, lambda inv: inv.update(contentDirectory="a/b"))


@case("E018", make=one)
def content_directory_dots(made: Made) -> None:
    both(made, lambda inv: inv.update(contentDirectory=".."))


@case("E108", make=one)
def content_directory_empty(made: Made) -> None:
    both(made, lambda inv: inv.update(contentDirectory=""))


@case("E019")
def content_directory_set_later(made: Made) -> None:
    both(made, lambda inv: inv.update(contentDirectory="content"))


@case("E020 E042")
def content_directory_changes(made: Made) -> None:
    made.inventories["v1"]["contentDirectory"] = "data"
    both(made, lambda inv: inv.update(contentDirectory="content"))


@case("E015 E021 E023 E042 E092", make=one)
def content_in_another_folder(made: Made) -> None:
    both(made, lambda inv: inv["manifest"].update({A: ["v1/data/a.txt"]}))
    made.files["v1/inventory.txt"] = b"x"


@case("E023")
def unknown_file(made: Made) -> None:
    made.files["v1/content/stray.txt"] = b"x"


@case("E023")
def older_manifest_lacks_a_file(made: Made) -> None:
    made.files["v1/content/more.txt"] = b"more"
    both(made, lambda inv: inv["manifest"].update({digest(b"more"): ["v1/content/more.txt"]}))
    both(made, lambda inv: inv["versions"]["v2"]["state"].update({digest(b"more"): ["more.txt"]}))


@case("E024")
def empty_folder_in_content(made: Made) -> None:
    made.folders.append("v1/content/empty")


@case("E046")
def version_folder_missing(made: Made) -> None:
    made.version({"a.txt": b"first\n"}, {"a.txt": b"first\n"})
    del made.inventories["v2"]


@case("E046")
def version_folder_too_many(made: Made) -> None:
    made.folders.append("v3/content")


@case("E001 E042 E104", make=one)
def version_without_v(made: Made) -> None:
    made.inventories = {"": made.root, "1": made.root}
    made.root.update(head="1", manifest={A: ["1/content/a.txt"]}, versions={"1": made.head})
    made.files = {"1/content/a.txt": b"first\n"}


@case("E105", make=one)
def version_zero(made: Made) -> None:
    both(made, lambda inv: inv["versions"].update({"v0": inv["versions"]["v1"]}))


@case("W001", make=lambda: Made(name=padded))
def zero_padded(made: Made) -> None:
    del made


@case("W002")
def folder_in_version_folder(made: Made) -> None:
    made.files["v1/notes/x.txt"] = b"x"


@case("W003")
def content_folder_without_files(made: Made) -> None:
    made.version({"a.txt": b"first\n"}, {"b.txt": b"first\n"})
    made.folders.append("v2/content")


# --- digests ---


@case("E025", make=one)
def addressed_by_md5(made: Made) -> None:
    md5 = digest(b"first\n", "md5")
    made.root.update(digestAlgorithm="md5", manifest={md5: ["v1/content/a.txt"]})
    made.head["state"] = {md5: ["a.txt"]}
    made.newest()


@case("E026 E025", make=one)
def addressed_by_nobody_knows_what(made: Made) -> None:
    both(made, lambda inv: inv.update(digestAlgorithm="whirl"))


@case("E030 E050 W004 E023", make=lambda: one_of("sha256"))
def sha256_not_hexadecimal(made: Made) -> None:
    bad = "z" * 64
    both(
        made,
        lambda inv: (
            inv.update(manifest={bad: ["v1/content/a.txt"]}),
            inv["versions"]["v1"].update(state={bad: ["a.txt"]}),
        ),
    )


@case("E031 E050 E023", make=one)
def sha512_not_hexadecimal(made: Made) -> None:
    bad = "z" * 128
    both(
        made,
        lambda inv: (
            inv.update(manifest={bad: ["v1/content/a.txt"]}),
            inv["versions"]["v1"].update(state={bad: ["a.txt"]}),
        ),
    )


@case("E029", make=one)
def sha1_not_hexadecimal(made: Made) -> None:
    both(made, lambda inv: inv.update(fixity={"sha1": {"abc": ["v1/content/a.txt"]}}))


@case("E032", make=one)
def blake2b_not_hexadecimal(made: Made) -> None:
    both(made, lambda inv: inv.update(fixity={"blake2b-512": {"abc": ["v1/content/a.txt"]}}))


@case("E039 E023 E050 W004", make=one)
def digests_of_another_algorithm(made: Made) -> None:
    both(made, lambda inv: inv.update(digestAlgorithm="sha256"))


@case("W004", make=lambda: one_of("sha256"))
def uses_sha256(made: Made) -> None:
    del made
