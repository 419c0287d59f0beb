from discovery_collectors.running.bounds import cut, first


def test_what_is_left_out_is_said_and_nothing_else():
    warnings = []
    assert first("abc", 3, "letters", warnings.append) == "abc"
    assert warnings == []
    assert first("abcd", 3, "letters", warnings.append) == "abc"
    assert warnings == ["more than 3 letters; the first 3 are reported"]


def test_a_value_that_is_cut_has_its_number_of_entries_beside_it():
    assert cut("names", ("a", "b"), 2) == {"names": ["a", "b"]}
    assert cut("names", ("a", "b", "c"), 2) == {"names": ["a", "b"], "names_total": 3}
