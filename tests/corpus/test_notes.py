from flipsketch.corpus.notes import count_notes, describe_notes


def test_a_kind_counts_once_a_row_whatever_its_figures():
    rows = [
        ["whitened the paper: (250, 240, 200)", "left out text"],
        ["whitened the paper: (9, 9, 9)", "whitened the paper: (8, 8, 8)"],
        [],
        None,
    ]
    counts = count_notes(rows)
    assert counts == {"whitened the paper": 2, "left out text": 1}
    assert describe_notes(counts) == "whitened the paper (2 rows), left out text (1 row)"
