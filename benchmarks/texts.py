"""Messages made up of weighted words: as long, as varied and as marked-up as real ones.

How often a word comes falls with its rank as in Zipf's law. Each conversation has words
of its own that it uses often, so that partners share a vocabulary.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from random import Random


def _listed(words: str) -> list[str]:
    return words.split()


# Frequent words, the most frequent first.
COMMON = _listed("""
the of and a to in is it that we I you this be as for with are not but what on or
have our can which there if one its they at from an how your more by than all when
each between about would has may because something itself both so into only think
might perhaps could where their also yet like does every through these other seems
then while without whether still even within no who both my some two rather before
after just being those any itself feel here us never don't it's we're I'm there's
that's maybe indeed exactly please thank thanks agree yes however although likely
possible course question idea
""")
THINGS = _listed("""
lantern harbour river garden ledger bridge orchard signal pattern mirror thread
window compass engine letter winter bell shadow quarry canvas anchor meadow kettle
archive stair feather wheel market island tunnel copper violin basket chimney pebble
furnace saddle glacier needle curtain hollow timber ribbon kitchen lattice marble
paddle cellar spindle beacon cradle ferry granite hammock ladder mortar nettle oar
parcel quilt rudder sparrow thimble valley willow yarn acorn barrel cinder dial
ember flint gate hinge inlet jar kiln loom mast nest oven pier reed sail tide urn
veil wharf
""")
MOVES = _listed("""
gather wander listen settle measure follow carry borrow unfold return answer notice
shape repair balance linger scatter trace weigh drift mend kindle hesitate remember
wonder compare invent translate circle soften sharpen tune align count stretch rest
climb polish sketch harvest anchor shelter whisper echo mirror explore connect
consider suggest imagine
""")
MOODS = _listed("""
quiet patient narrow hidden gentle stubborn bright hollow distant careful ancient
curious tender restless faint sturdy crooked silver sudden plain mutual honest
fragile steady open
""")
EMOJI = ("🌊", "✨", "🔭", "🌱", "🎶", "🙏", "🪞", "🌙", "➡️", "🧵")
CODE = (
    "```python\nfor turn in range(8):\n    print(turn, turn ** 2)\n```",
    "```\nA -> B : {0}\nB -> A : {1}\n```",
    "```sql\nselect word, count(*) from {0} group by word;\n```",
)

ZIPF_EXPONENT = 1.1
ZIPF_OFFSET = 2.7
COMPOUND_COUNT = 6_000
TOPIC_SIZE = 40
TOPIC_SHARE = 0.12
WORDS_PER_MESSAGE = 91
FEWEST_WORDS, MOST_WORDS = 6, 400
SENTENCE_LENGTHS = range(6, 20)
LONG_SENTENCE = 9
PAUSES = (",", ",", ",", ";", " —")
SENTENCE_ENDS = (".", ".", ".", ".", ".", "?", "?", "!", "...", ":")


def _vocabulary() -> list[str]:
    """List all words, each once, the most frequent first."""
    inflected = [
        form
        for position in range(max(len(THINGS), len(MOVES), len(MOODS)))
        for words, endings in (
            (THINGS, ("", "s")),
            (MOVES, ("", "s", "ed", "ing")),
            (MOODS, ("", "ly", "ness")),
        )
        if position < len(words)
        for form in (_inflected(words[position], ending) for ending in endings)
    ]
    compounds = [first + second for first in THINGS for second in THINGS + MOODS]
    # Always the same ones, whatever the seed of a corpus.
    rare = Random("compounds").sample(compounds, COMPOUND_COUNT)
    return [*dict.fromkeys((*COMMON, *inflected, *rare))]


def _inflected(word: str, ending: str) -> str:
    return word.removesuffix("e") + ending if ending in ("ed", "ing") else word + ending


WORDS = _vocabulary()
_SUMMED_WEIGHTS = [
    *accumulate(1 / (rank + ZIPF_OFFSET) ** ZIPF_EXPONENT for rank in range(len(WORDS)))
]


class Texts:
    """The messages of one conversation."""

    def __init__(self, rng: Random) -> None:
        """Choose what the conversation is about."""
        self._rng = rng
        self._topic = rng.sample(WORDS[len(COMMON) : -COMPOUND_COUNT], TOPIC_SIZE)
        self._words = WORDS + self._topic
        total = _SUMMED_WEIGHTS[-1]
        each = total * TOPIC_SHARE / (1 - TOPIC_SHARE) / TOPIC_SIZE
        self._summed_weights = _SUMMED_WEIGHTS + [
            total + each * place for place in range(1, TOPIC_SIZE + 1)
        ]

    def message(self) -> str:
        """Make up a message; 650 characters in the mean, 30 at least."""
        rng = self._rng
        drawn = round(rng.gammavariate(4, WORDS_PER_MESSAGE / 4))
        count = max(FEWEST_WORDS, min(drawn, MOST_WORDS))
        words = rng.choices(self._words, cum_weights=self._summed_weights, k=count)
        if rng.random() < 0.2:
            number = rng.choice((str(rng.randint(2, 900)), f"{rng.random():.2f}"))
            words[rng.randrange(count)] = number
        sentences = self._sentences(words)
        blocks = self._blocks(sentences)
        if rng.random() < 0.12:
            blocks[-1] += " " + "".join(rng.choices(EMOJI, k=rng.randint(1, 3)))
        if rng.random() < 0.04:
            blocks.append(rng.choice(CODE).format(*rng.sample(self._topic, 2)))
        return "\n\n".join(blocks)

    def _sentences(self, words: Sequence[str]) -> list[str]:
        rng = self._rng
        most = len(words) // SENTENCE_LENGTHS[0] + 1
        lengths = rng.choices(SENTENCE_LENGTHS, k=most)
        pauses = rng.choices(PAUSES, k=most)
        ends = rng.choices(SENTENCE_ENDS, k=most)
        sentences = []
        begin = 0
        for length, pause, end in zip(lengths, pauses, ends, strict=True):
            sentence = [*words[begin : begin + length]]
            if length > LONG_SENTENCE < len(sentence):
                sentence[length // 2] += pause
            text = " ".join(sentence)
            sentences.append(text[0].upper() + text[1:] + end)
            begin += length
            if begin >= len(words):
                break
        return sentences

    def _blocks(self, sentences: Sequence[str]) -> list[str]:
        """Put sentences into paragraphs, and some into a list."""
        rng = self._rng
        listed = len(sentences) - 3 if len(sentences) > 5 and rng.random() < 0.15 else 0
        spoken = sentences[listed:]
        breaks = sorted(rng.sample(range(1, 4), k=rng.randint(0, 2)))
        paragraphs = [
            " ".join(spoken[begin:end])
            for begin, end in pairwise((0, *breaks, len(spoken)))
            if begin < len(spoken)
        ]
        if listed:
            items = "\n".join(f"- {sentence}" for sentence in sentences[:listed])
            paragraphs.insert(1, items)
        return paragraphs
