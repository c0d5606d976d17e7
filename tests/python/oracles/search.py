"""What a search must find, from the texts alone and in another way than the index."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

UNSPACED = (
    *("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "THAI", "LAO", "KHMER"),
    *("MYANMAR", "TIBETAN", "YI"),
)


def is_unspaced(character: str) -> bool:
    """Whether a letter is of a script that puts no space between words."""
    return unicodedata.name(character, "").startswith(UNSPACED)


def search_words(text: str) -> list[str]:
    """Part a text into the words that a search knows."""
    return [
        "".join(part)
        for run in re.findall(r"\w+", text.lower().replace("ʼ", " "))
        for _, part in groupby(run, is_unspaced)
    ]


def plain(word: str) -> str:
    """Take the accents off a word, but not off kana."""
    if any(unicodedata.name(letter, "").startswith(UNSPACED[1:3]) for letter in word):
        return word
    letters = unicodedata.normalize("NFD", word)
    return unicodedata.normalize(
        "NFC", "".join(one for one in letters if unicodedata.category(one) != "Mn")
    )


@dataclass(frozen=True)
class Item:
    """A part of a query: words that stand in a row, in a text or not."""

    text: str
    is_exact: bool = False
    is_prefix: bool = False
    is_excluded: bool = False

    @property
    def query(self) -> str:
        """How somebody types it."""
        text = f'"{self.text}"' if self.is_exact else self.text
        return "-" * self.is_excluded + text + "*" * self.is_prefix

    def suits(self, text: str) -> bool:
        """Whether a text is as this part of the query wants it."""
        return self.is_excluded != self._is_in(text)

    def _is_in(self, text: str) -> bool:
        wanted, found = search_words(self.text), search_words(text)
        if not self.is_exact:
            wanted, found = list(map(plain, wanted)), list(map(plain, found))
        return any(
            self._is_at(wanted, found[place : place + len(wanted)])
            for place in range(len(found) - len(wanted) + 1)
        )

    def _is_at(self, wanted: Sequence[str], found: Sequence[str]) -> bool:
        is_open_left = is_unspaced(wanted[0][0])
        is_open_right = self.is_prefix or is_unspaced(wanted[-1][-1])
        last = len(wanted) - 1
        for place, (word, other) in enumerate(zip(wanted, found, strict=True)):
            before = ".*" if place == 0 and is_open_left else ""
            behind = ".*" if place == last and is_open_right else ""
            if not re.fullmatch(before + re.escape(word) + behind, other):
                return False
        return True
