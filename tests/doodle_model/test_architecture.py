"""The networks of the embedded model."""

from flipsketch.doodle_model.architecture import make_tokenizer


def test_the_tokenizer_takes_a_token_for_a_known_word(tmp_path):
    tokenizer = make_tokenizer(["a bird flies to the left", "the bird is flying left"] * 20)
    tokenizer.save_pretrained(tmp_path)
    tokenizer = type(tokenizer).from_pretrained(tmp_path)
    text = "the bird flies left"
    ids = tokenizer(text).input_ids
    assert len(ids) == 2 + 4 and tokenizer.decode(ids, skip_special_tokens=True).strip() == text
    # Of a word that it never saw, the letters are known.
    assert tokenizer.decode(tokenizer("zebra 7").input_ids[1:-1]).replace(" ", "") == "zebra7"
