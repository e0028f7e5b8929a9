import pytest

from billing.storage.caseless import fold, folded_copy


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Text", "tEXT"),
        ("ΟΔΟΣ", "οδος"),
        ("ΟΔΟΣ", "οδοσ"),
        ("É", "é"),
        ("É", "e\u0301"),
        ("STRASSE", "straße"),
        ("\u0390", "\u03aa\u0301"),
        ("ﬁ", "FI"),
    ],
)
def test_texts_that_differ_in_case_or_composition_are_one(one, other):
    assert fold(one) == fold(other)
    assert fold(fold(one)) == fold(one)


@pytest.mark.parametrize(("one", "other"), [("e", "é"), ("ı", "i"), ("a ", "a"), ("ｔ", "t")])
def test_other_texts_stay_apart(one, other):
    assert fold(one) != fold(other)


def test_only_texts_that_folding_changes_are_copied():
    properties = {
        "a": "Text",
        "b": "text",
        "c": "É",
        "d": True,
        "e": 5,
        "f": None,
        "g": ["X"],
        "h": {"x": "X"},
        "K": "",
    }

    assert folded_copy(properties) == {"a": "text", "c": "é"}
    assert folded_copy({"a": "text"}) is None
    assert folded_copy(None) is None
