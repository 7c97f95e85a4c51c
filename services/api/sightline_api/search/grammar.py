"""The short form of a query: words and "quoted phrases", with `-` before what to exclude.

cat on a sofa              one text
cat "red sofa"             two texts, of equal weight
cat -dog -"a red sofa"     one text, and two to stay away from
"""

import re
from collections.abc import Sequence

from sightline.errors import BadRequest
from sightline_api.search.models import TextPart

EXCLUDED_WEIGHT = -0.5
# Either a quoted phrase (an unclosed quote runs to the end) or a run without spaces; a minus
# excludes only at the beginning of either, so that "wi-fi" stays a word.
_TOKEN = re.compile(r'(?P<minus>-?)(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')


def parse_query(text: str, *, beside_others: bool = False, lang: str | None = None) -> Sequence[TextPart]:
    """The parts of a short-form query: the bare words together, then each phrase and exclusion.

    `lang` is the language of them all. Raises BadRequest when nothing is left to search for, unless the text
    stands `beside_others`, pictures for example, and may only exclude.
    """
    words: list[str] = []
    phrases: list[TextPart] = []
    for token in _TOKEN.finditer(text):
        content = (token["phrase"] if token["word"] is None else token["word"]).strip()
        if not content:
            continue
        if token["minus"]:
            phrases.append(TextPart(text=content, weight=EXCLUDED_WEIGHT, lang=lang))
        elif token["word"] is None:
            phrases.append(TextPart(text=content, lang=lang))
        else:
            words.append(content)
    parts = [TextPart(text=" ".join(words), lang=lang)] if words else []
    parts += phrases
    if not beside_others and not any(part.weight > 0 for part in parts):
        raise BadRequest("The query names nothing to look for. Write a word or a \"phrase\" without '-'.")
    return parts
