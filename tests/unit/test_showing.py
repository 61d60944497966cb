"""Words that pages show."""

import hashlib

from api.showing import brief


def test_a_sentence_has_as_much_of_a_digest_as_people_compare() -> None:
    digest = hashlib.sha512(b"a").hexdigest()
    md5 = hashlib.md5(b"a", usedforsecurity=False).hexdigest()
    assert brief(f"its sha512 is {digest}, not {md5}.") == f"its sha512 is {digest[:16]}…, not {md5[:16]}…."
    name = "7f3c9a21-5d0e-4c55-9c0e-3a5b8f1d2e47 and deadbeefdeadbeef.bin"
    assert brief(name) == name
