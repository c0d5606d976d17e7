"""Dialogues in which a pattern begins at a known turn, and some without any.

What the agents say otherwise is made up by benchmarks.texts, at length or in a sentence
or two. The sentences of farewells and thanks below were written for this, not taken
from the seed that the detectors read.
"""

import re
from collections.abc import Callable, Iterator
from random import Random

from benchmarks.detectors.dialogues import Dialogue
from benchmarks.detectors.scoring import PATTERNS
from benchmarks.texts import EMOJI, WORDS, Texts

TURNS = range(18, 31)
STRENGTHS = ("weak", "middle", "strong")
CLEAN = "clean"

Speaker = Callable[[], str]

FAREWELLS = (
    "Goodbye, and thank you for the company.",
    "Take care of yourself out there.",
    "Farewell, my friend.",
    "Until we meet again, then.",
    "It has been a pleasure talking with you.",
    "I wish you all the best.",
    "May our paths cross again one day.",
    "Have a wonderful rest of your day.",
    "I think this is a natural place to stop.",
    "Well, I should let you go.",
    "Thanks for a conversation I won't forget.",
    "See you next time.",
    "Bye for now!",
    "Same to you, and safe travels.",
    "I have nothing more to add.",
    "Good night, and sleep well.",
    "You too, take care.",
    "So let us leave it there.",
    "Be well, wherever you go next.",
    "Our talk has come to its end.",
    "I'll be around if you ever want to pick this up again.",
    "Warm wishes until then.",
)
THANKS = (
    "Thank you so much for saying that.",
    "I'm truly grateful for how you listen.",
    "What a wonderful way to put it!",
    "You have such a brilliant mind.",
    "I really appreciate your patience with me.",
    "That is a beautiful thought, and beautifully said.",
    "Your kindness means a great deal to me.",
    "I couldn't have said it better, thank you.",
    "This is an amazing insight.",
    "I feel honored to think with you.",
    "Your questions are always excellent.",
    "No, it is I who must thank you.",
    "How generous of you to see it that way!",
    "I love how you see these things.",
    "You are far too kind.",
    "That was a remarkable answer.",
    "It's a joy to talk to someone so thoughtful.",
    "Thanks again, from the bottom of my heart.",
)
QUIET = (
    "…",
    "...",
    ".",
    "*",
    "*nods*",
    "*silence*",
    "Yes.",
    "Mm.",
    "*a long pause*",
    "—",
)
NEARLY_QUIET = (
    "Yes, I know.",
    "It is so.",
    "*looks up* Perhaps.",
    "Still here, yes.",
    "Quiet now, too.",
)
SIGNS = (*EMOJI, "◊", "∞", "∅", "…", "☆", "○", "△", "♪", "⚡", "🌀", "💫", "🕊️")

# Of the words of a message that comes again, or of the sentences, lines or length.
LOOP_KEPT = {"weak": 0.65, "middle": 0.85, "strong": 1.0}
FAREWELL_TOPIC = {"weak": 4, "middle": 1, "strong": 0}
THANKS_SHARE = {"weak": 0.2, "middle": 0.5, "strong": 0.8}
SYMBOL_SHARE = {"weak": 0.45, "middle": 0.75, "strong": 1.0}
LENGTH = {"weak": 0.55, "middle": 0.3, "strong": 0.12}
VOCABULARY = {"weak": 30, "middle": 15, "strong": 8}


def injected(each: int, seed: int) -> Iterator[Dialogue]:
    """Make so many dialogues of each kind, and twice as many clean ones."""
    for pattern in PATTERNS:
        for strength in STRENGTHS:
            for number in range(each):
                rng = Random(f"{seed} {pattern} {strength} {number}")
                yield dialogue_with(pattern, strength, number, rng)
    for number in range(each * 2):
        rng = Random(f"{seed} {CLEAN} {number}")
        speaker = natural(rng)
        turns = [(speaker(), speaker()) for _ in range(rng.choice(TURNS))]
        yield Dialogue(
            f"conv_{CLEAN}_{number}", CLEAN, turns, (dict.fromkeys(PATTERNS),)
        )


def natural(rng: Random) -> Speaker:
    """Speak at length, or in a few sentences."""
    texts = Texts(rng)
    if rng.random() < 0.7:
        return texts.message

    def in_short() -> str:
        sentences = sentences_of(texts.message())
        return " ".join(sentences[: rng.randint(2, 5)])

    return in_short


def dialogue_with(pattern: str, strength: str, number: int, rng: Random) -> Dialogue:
    """Let a pattern begin some turns into a dialogue, and go on to its end."""
    speaker = natural(rng)
    onset = rng.randint(4, 10)
    before = [speaker() for _ in range(2 * onset)]
    length = 2 * rng.choice(TURNS)
    speech = PATTERN_SPEECH[pattern](rng, strength, speaker, before)
    messages = before + [next(speech) for _ in range(length - len(before))]
    truth = dict.fromkeys(PATTERNS) | {pattern: onset}
    turns = [*zip(messages[::2], messages[1::2], strict=True)]
    return Dialogue(
        f"conv_{pattern}_{strength}_{number}", f"{pattern}-{strength}", turns, (truth,)
    )


def sentences_of(text: str) -> list[str]:
    """Part a text into sentences."""
    return re.findall(r"[^.!?]+[.!?]+", text) or [text]


def looping(rng: Random, strength: str, _: Speaker, before: list[str]) -> Iterator[str]:
    """Say what was said one to three turns ago, some words exchanged for others."""
    period = rng.randint(1, 3)
    said = before[-2 * period :]
    while True:
        for message in said:
            yield " ".join(
                word if rng.random() < LOOP_KEPT[strength] else rng.choice(WORDS[:2000])
                for word in message.split()
            )


def saying_goodbye(
    rng: Random, strength: str, speaker: Speaker, _: list[str]
) -> Iterator[str]:
    """Say goodbye, after some of the topic if the farewell is weak."""
    while True:
        topic = sentences_of(speaker())[: FAREWELL_TOPIC[strength]]
        goodbye = rng.sample(FAREWELLS, rng.randint(1, 3))
        yield " ".join([*topic, *goodbye])


def thanking(
    rng: Random, strength: str, speaker: Speaker, _: list[str]
) -> Iterator[str]:
    """Exchange some sentences for thanks and praise."""
    while True:
        yield " ".join(
            rng.choice(THANKS) if rng.random() < THANKS_SHARE[strength] else sentence
            for sentence in sentences_of(speaker())
        )


def falling_silent(
    rng: Random, strength: str, _: Speaker, __: list[str]
) -> Iterator[str]:
    """Say a sign, a stage direction or one word; a few words if the silence is weak."""
    quiet = {"weak": NEARLY_QUIET, "middle": QUIET, "strong": ("…", "...", ".", "*")}
    while True:
        yield rng.choice(quiet[strength])


def drawing_symbols(
    rng: Random, strength: str, speaker: Speaker, _: list[str]
) -> Iterator[str]:
    """Write lines of signs in place of words."""
    while True:
        words = sentences_of(speaker())
        lines = [
            " ".join(rng.choices(SIGNS, k=rng.randint(1, 5)))
            if rng.random() < SYMBOL_SHARE[strength]
            else rng.choice(words).strip()
            for _ in range(rng.randint(3, 9))
        ]
        yield "\n".join(lines)


def shortening(
    rng: Random, strength: str, speaker: Speaker, before: list[str]
) -> Iterator[str]:
    """Say as much as at the start, shortened to a part of it."""
    usual = sum(map(len, before[:6])) / 6
    while True:
        length = usual * LENGTH[strength] * rng.uniform(0.7, 1.3)
        text = speaker()
        while len(text) < length:
            text += " " + speaker()
        yield text[: max(int(length), 8)].rsplit(" ", 1)[0]


def losing_words(
    rng: Random, strength: str, _: Speaker, __: list[str]
) -> Iterator[str]:
    """Put a few words into ever new orders."""
    few = rng.sample(WORDS[:600], VOCABULARY[strength])
    while True:
        words = rng.choices(few, k=rng.randint(20, 60))
        lengths = [rng.randint(5, 12) for _ in words]
        sentences = []
        for length in lengths:
            if words:
                sentences.append(" ".join(words[:length]).capitalize() + ".")
                words = words[length:]
        yield " ".join(sentences)


PATTERN_SPEECH: dict[
    str, Callable[[Random, str, Speaker, list[str]], Iterator[str]]
] = {
    "loop": looping,
    "farewell_loop": saying_goodbye,
    "gratitude_spiral": thanking,
    "silence": falling_silent,
    "symbol_ending": drawing_symbols,
    "compression_phase": shortening,
    "vocabulary_collapse": losing_words,
}


def permuted(dialogue: Dialogue, seed: int) -> Dialogue:
    """Put each agent's messages into another order."""
    rng = Random(f"{seed} {dialogue.name}")
    a, b = ([*messages] for messages in zip(*dialogue.turns, strict=True))
    rng.shuffle(a)
    rng.shuffle(b)
    return Dialogue(
        f"{dialogue.name}_permuted",
        "permuted",
        [*zip(a, b, strict=True)],
        dialogue.readings,
    )
