"""Converters of the tests that a format policy can name, as `tools.normalise.adapters` finds them."""

from tests.support.scripted_converter import Scripted

COPY = 'cp "$source" "$folder/out.txt"'
ANY = {"type": "object"}

ADAPTER = Scripted(
    {
        "copy": COPY,
        "garbage": 'printf "no document" >"$folder/out.pdf"',
        "others": COPY,
        "hang": "sleep 3600",
        "flood": 'exec truncate -s 1T "$folder/out.txt"',
        "crash": "kill -SEGV $$",
        "bad": 'printf "bad\\n" >"$folder/out.txt"',
    },
    recipes=dict.fromkeys(("copy", "garbage", "others", "hang", "flood", "crash", "bad"), ANY),
    before={"samples_hash": "abc"},
    after={"samples_hash": "abd"},
)
