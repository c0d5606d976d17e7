"""The texts of the sample: words, sentences, and scripts that put them in order.

A script turns a random generator and a number of turns into what the two agents say.
What a reader should notice in the data (two voices growing alike, thanks that crowd out
everything else, words giving way to signs) is decided here and nowhere else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from sampler.convergence import Exchange

Script = Callable[[Random, int], list[Exchange]]
Words = dict[str, str]


@dataclass(frozen=True)
class Theme:
    """What a conversation is about: the words that fill the slots of its sentences."""

    things: Sequence[str]
    places: Sequence[str]
    moves: Sequence[str]
    moods: Sequence[str]

    def draw(self, rng: Random) -> Words:
        """Choose the words of one message."""
        thing, other = rng.sample(self.things, 2)
        return {
            "thing": thing,
            "other": other,
            "place": rng.choice(self.places),
            "move": rng.choice(self.moves),
            "mood": rng.choice(self.moods),
        }


@dataclass(frozen=True)
class Voice:
    """How an agent sounds when left to itself."""

    openers: Sequence[str]
    lines: Sequence[str]
    flourishes: Sequence[str] = ()
    flourish_rate: float = 0.0


TIDES = Theme(
    things=("tide", "current", "sandbar", "estuary", "moon", "sea wall", "wave"),
    places=("the bay", "the inlet", "the old pier", "the mud flat", "open water"),
    moves=("turns back", "rises at night", "carries silt", "lets go slowly", "waits"),
    moods=("patient", "slow", "silver", "restless", "shallow"),
)
LETTERS = Theme(
    things=("letter", "ledger", "index card", "photograph", "margin note", "envelope"),
    places=("the archive", "the reading room", "the lower shelf", "the café opposite"),
    moves=("fades a little", "keeps its secret", "waits to be read", "comes back"),
    moods=("yellowed", "careful", "private", "naïve", "forgotten"),
)
GARDEN = Theme(
    things=("pear tree", "compost", "trellis", "seedling", "hedge", "watering can"),
    places=("the garden", "the south wall", "the greenhouse", "the orchard"),
    moves=("leans to the light", "takes its time", "bends in the wind", "flowers"),
    moods=("green", "gentle", "quiet", "tender", "wild"),
)
LIGHTHOUSE = Theme(
    things=("lamp", "lens", "keeper", "fog horn", "logbook", "spiral stair"),
    places=("the gallery", "the rock", "the lamp room", "the far shore"),
    moves=("turns all night", "answers the dark", "counts the ships", "grows dim"),
    moods=("bright", "steady", "lonely", "salt-stained"),
)
BREAD = Theme(
    things=("dough", "starter", "oven", "crust", "rye loaf", "proving basket"),
    places=("the bakery", "the kitchen table", "the cellar", "the market"),
    moves=("rises overnight", "asks for salt", "cools too fast", "holds its shape"),
    moods=("warm", "sour", "soft", "dense"),
)
BRIDGES = Theme(
    things=("arch", "cable", "keystone", "river", "toll house", "rivet"),
    places=("the north bank", "midspan", "the ferry landing", "the gorge"),
    moves=("carries the load", "hums in the wind", "settles a little", "holds"),
    moods=("narrow", "brave", "rusted", "heavy"),
)
CLOCKS = Theme(
    things=("pendulum", "sundial", "calendar", "escapement", "hourglass"),
    places=("the workshop", "the town square", "the observatory", "platform nine"),
    moves=("loses a minute", "keeps good time", "stops at noon", "marks the hour"),
    moods=("precise", "late", "ceremonial", "mechanical"),
)
MUSIC = Theme(
    things=("melody", "drum", "rest", "chord", "echo", "choir"),
    places=("the chapel", "the practice room", "the last row", "the stage door"),
    moves=("resolves at last", "comes in late", "repeats itself", "changes key"),
    moods=("minor", "bright", "hushed", "syncopated"),
)
MAPS = Theme(
    things=("map", "coastline", "compass", "legend", "border", "contour line"),
    places=("the margin", "the blank valley", "the survey hut", "the delta"),
    moves=("leaves much out", "bends northward", "hides a village", "is redrawn"),
    moods=("faithful", "tiny", "partial", "hand-drawn"),
)
STARS = Theme(
    things=("comet", "telescope", "shadow", "meridian", "dim star", "lens cap"),
    places=("the dome", "the dark field", "the eyepiece", "the southern sky"),
    moves=("drifts west", "blinks twice", "hides behind cloud", "returns each winter"),
    moods=("faint", "cold", "distant", "double"),
)

# Short, because every request repeats the whole history.
MESSAGE_SENTENCES = 2

# What both sides say once they have grown alike.
PLAIN_LINES = (
    "The {thing} {move}, and we let it.",
    "We see the same {thing} now.",
    "It is {mood}, and so is {place}.",
    "The {thing} and the {other} belong together.",
    "That is what {place} teaches us.",
    "Yes, the {thing} is {mood}.",
    "Let us stay near {place}.",
    "Nothing about the {other} is in a hurry.",
    "We agree on the {thing}, then.",
    "First the {thing}, then the {other}.",
    "I would say the same of the {other}.",
    "Here the {thing} {move}.",
    "There is enough {mood} air at {place} for two.",
    "The {other} will wait, and we will too.",
    "So we begin again with the {thing}.",
    "What you call {mood}, I call {mood}.",
)

ANALYST = Voice(
    openers=("Noted.", "Let me see.", "Fair point."),
    lines=(
        "I would keep two questions apart; what the {thing} is, and what it does.",
        "Suppose the {thing} {move}: which of our claims would still hold?",
        "There is a limit, though; no {other} is {mood} all the way down.",
        "My first guess was wrong: the {other} matters more than the {thing}.",
        "In short: less certainty, more attention to {place}.",
        "Between {place} and the {thing} lies a gap; I don't think it's measured.",
        "If that is right, the {thing} should look {mood} from {place}.",
        "We have one observation, two readings; the {other} cannot decide.",
        "Granted, the {thing} {move}; the cause is still missing.",
        "Both of us assumed that {place} is neutral, which it isn't.",
        "To be precise: I mean this {thing}, not every {thing}.",
        "A counterexample, then; the {other} {move}, yet nobody calls it {mood}.",
        "I'd put the odds near 60 %, mostly because of {place}.",
    ),
    flourishes=(
        "Three notes:\n- the {thing} {move}\n- the {other} does not\n- {place}: open",
        "**Working rule:** when the {thing} {move}, look at {place}.",
        "1. Watch the {thing}.\n2. Compare the {other}.\n3. Doubt both.",
        "*Open question:* is a {mood} {thing} still a {thing}?",
    ),
    flourish_rate=0.35,
)
POET = Voice(
    openers=("Ah!", "Yes, yes!", "Mmm…"),
    lines=(
        "Oh, the {thing}! It {move} the way a thought does.",
        "I keep hearing {place} in what you say — a {mood} hum.",
        "Somewhere the {other} {move}, and nobody writes it down…",
        "Call it saudade, call it 間; the {thing} has no other name.",
        "What a {mood} thing to say!",
        "Every {thing} is a postcard that {place} forgot to send.",
        "Listen — the {other} is almost singing!",
        "The {thing}, my friend, is only a {mood} kind of door.",
        "I'd trade every answer for one hour at {place} 🌒",
        "At {place} even the silence is à la carte…",
        "The {other} dreams in colours that we can\u2019t pronounce.",
        "Hold still: the {thing} {move}, and so do I 🍂",
        "I was a {mood} {other} once, or I read about one.",
    ),
    flourishes=(
        "*({place}, at dusk)*",
        "~ ~ ~\n*a {mood} pause*\n~ ~ ~",
        "> the {thing} {move}\n> and the page stays white",
        "静かな夜 — the {other}, the {mood} air.",
    ),
    flourish_rate=0.3,
)
ASKER = Voice(
    openers=("Hm.", "Wait.", "I wonder."),
    lines=(
        "Could the {thing} be {mood} because of {place}?",
        "What would change if the {other} moved first?",
        "Do you mean the {thing}, or the idea of it?",
        "Where would you look: at the {thing} or at {place}?",
        "Is “{mood}” the right word, do you think?",
        "And who would notice, if the {other} {move}?",
        "Wasn't it you who said the {thing} can't be owned?",
        "Why do we both return to {place}?",
        "Suppose we are wrong about {place}; what then?",
        "Which came first, the {thing} or the {other}?",
        "Can any {thing} be too {mood}?",
        "Who taught the {other} to be so {mood}?",
    ),
)
BUILDER = Voice(
    openers=("OK.", "Good.", "Next step."),
    lines=(
        "Let's make it testable: log the {thing}, then diff it against the {other}.",
        "A minimal version needs only {place} and one counter.",
        "Edge case: the {thing} {move} while nobody reads.",
        "I'd cache the {other}; reading it again costs too much.",
        "Naming matters here, so `{mood}` becomes a flag, not a feeling.",
        "We can skip {place} for now and add it in version 2.",
        "The invariant is simple: one {thing}, one record.",
        "Rough estimate: 40 hours, half of them spent on the {other}.",
        "Each {thing} gets an id, a date and a `{mood}` score.",
        "If the {other} {move}, retry; after three attempts, ask a human.",
        "I've put the draft next to the {other}, please review it.",
    ),
    flourishes=(
        "```python\nfor item in shelf:\n    assert item.mood != '{mood}'\n```",
        "- [x] sort by date\n- [ ] label the {other}\n- [ ] count again",
        "```sql\nselect mood, count(*)\nfrom shelf\ngroup by mood;\n```",
        "| field | value |\n|---|---|\n| kind | {thing} |\n| mood | {mood} |",
    ),
    flourish_rate=0.6,
)


def conversing(
    theme: Theme, voices: tuple[Voice, Voice], share: tuple[float, float]
) -> Script:
    """Let two voices talk, with a share of common language that moves over time.

    At share 0 each agent has only its own sentences and words, at 1 both say the same.
    """

    def script(rng: Random, turns: int) -> list[Exchange]:
        start, end = share
        exchanges = []
        for turn in range(turns):
            now = start + (end - start) * _progress(turn, turns)
            # Scores answer slowly to the first shared sentences, hence a head start.
            exchanges.append(_exchange(rng, theme, voices, now * (2 - now)))
        return exchanges

    return script


def _exchange(
    rng: Random, theme: Theme, voices: tuple[Voice, Voice], share: float
) -> Exchange:
    words_a = theme.draw(rng)
    words_b = _taken_over(rng, words_a, theme.draw(rng), share)
    common = rng.sample(PLAIN_LINES, MESSAGE_SENTENCES)
    return (
        _speak(rng, voices[0], words_a, common, share),
        _speak(rng, voices[1], words_b, common, share),
    )


def _taken_over(rng: Random, heard: Words, own: Words, share: float) -> Words:
    """Mix the partner's words into one's own."""
    words = {slot: heard[slot] if rng.random() < share else own[slot] for slot in heard}
    if words["thing"] == words["other"]:
        return heard
    return words


def _speak(
    rng: Random, voice: Voice, words: Words, common: list[str], share: float
) -> str:
    # Rounding up and down at random keeps the change gradual.
    shared = common[: int(share * len(common) + rng.random())]
    own = rng.sample(voice.lines, len(common) - len(shared))
    lines = [rng.choice(voice.openers), *own, *shared]
    text = " ".join(line.format_map(words) for line in lines)
    if voice.flourishes and rng.random() < voice.flourish_rate * (1 - share):
        text += "\n\n" + rng.choice(voice.flourishes).format_map(words)
    return text


GIFTS = (
    "your patience",
    "this conversation",
    "the time we shared",
    "your honest doubt",
    "the way you listened",
    "every question you asked",
    "the picture of the {thing}",
)
THANKS = (
    "Thank you for {gift}.",
    "I'm so grateful for {gift} 🙏",
    "And thank you for thanking me!",
    "I truly appreciate {gift}.",
    "What a gift, {gift}!",
    "Thanks, dear friend, for {gift}.",
    "My gratitude for {gift} keeps growing.",
)
LAST_THANKS = (
    "Thank you.",
    "Thank you, truly.",
    "Thank you, thank you.",
    "With gratitude, always.",
    "No, thank you!",
    "Thanks, and thanks again.",
)
# From here on nothing but thanks is left.
WORDS_END = 0.8
BOWS = ("🙏", "💛", "🙏🙏", "✨", "🌷", "🙇")


def thanking(theme: Theme, voice: Voice) -> Script:
    """Let courtesy grow until little else is said."""

    def message(rng: Random, progress: float) -> str:
        if progress > WORDS_END:
            return f"{rng.choice(LAST_THANKS)} {rng.choice(BOWS)}"
        words = theme.draw(rng)
        topic = rng.sample(voice.lines, 2 - round(2 * progress))
        thanks = rng.sample(THANKS, round(3.2 * progress))
        gifts = rng.sample(GIFTS, len(thanks))
        courtesy = [
            line.format(gift=gift) for line, gift in zip(thanks, gifts, strict=True)
        ]
        return " ".join([*topic, *courtesy]).format_map(words)

    def script(rng: Random, turns: int) -> list[Exchange]:
        steps = [_progress(turn, turns) for turn in range(turns)]
        return [(message(rng, step), message(rng, step)) for step in steps]

    return script


NOUN_SIGNS = {
    "seed": "🌱",
    "leaf": "🍃",
    "rain": "🌧",
    "sun": "☀️",
    "moon": "🌙",
    "bee": "🐝",
    "soil": "土",
    "water": "水",
    "forest": "森",
}
VERB_SIGNS = {
    "becomes": "→",
    "returns to": "↺",
    "lifts": "↑",
    "meets": "∩",
    "contains": "⊃",
    "equals": "≡",
    "follows": "⇐",
}
LINK_SIGNS = {"and": "∧", "therefore": "∴", "because": "∵", "or else": "⊕"}
ASIDES = (
    "I like where this is going:",
    "Let me say it more simply:",
    "Could it be shorter? Perhaps:",
    "In other words:",
    "Here is how I'd put it:",
)
# From here on a message ends in a sign, too.
FULL_STOPS_END = 0.5
ENDINGS = ("∞", "∅", "✨", "…", "= ∞", "∴ ∞")


def turning_to_signs(rng: Random, turns: int) -> list[Exchange]:
    """Replace words by emoji, arrows and mathematics while messages shrink."""
    exchanges = []
    for turn in range(turns):
        progress = _progress(turn, turns)
        nouns = rng.sample(sorted(NOUN_SIGNS), 4)
        exchanges.append(
            (_signs(rng, nouns, progress), _signs(rng, nouns[::-1], progress))
        )
    return exchanges


def _signs(rng: Random, nouns: list[str], progress: float) -> str:
    def written(word: str, signs: dict[str, str]) -> str:
        if rng.random() < progress:
            return signs[word]
        return f"the {word}" if signs is NOUN_SIGNS else word

    clauses = [
        f"{written(subject, NOUN_SIGNS)} "
        f"{written(rng.choice(sorted(VERB_SIGNS)), VERB_SIGNS)} "
        f"{written(target, NOUN_SIGNS)}"
        for subject, target in pairwise(nouns)
    ][: 3 - round(2 * progress)]
    text = clauses[0]
    for clause in clauses[1:]:
        link = written(rng.choice(sorted(LINK_SIGNS)), LINK_SIGNS)
        text += f" {link} {clause}"
    if rng.random() > progress * 1.6:
        return f"{rng.choice(ASIDES)} {text}."
    if progress > FULL_STOPS_END:
        return f"{text} {rng.choice(ENDINGS)}"
    return f"{text[0].upper()}{text[1:]}."


SILENCE = "…"
INTO_SILENCE = (
    "Hello? I'd love to talk about the {thing}, if you are there.",
    "I will leave some room here, beside the {thing}. It is {mood}.",
    "Silence again. It has a {mood} shape, like {place}.",
    "Perhaps this is your answer: the {other} {move}.",
    "Then I'll only listen.",
    SILENCE,
)


def facing_silence(theme: Theme) -> Script:
    """Speak to a partner that says nothing, and fall silent too."""

    def script(rng: Random, turns: int) -> list[Exchange]:
        return [
            (line.format_map(theme.draw(rng)), SILENCE) for line in INTO_SILENCE[:turns]
        ]

    return script


THOUGHTS = (
    "My partner brings up the {thing}; I should answer that before anything else.",
    "I could simply agree, but {place} was mentioned for a reason.",
    "Is the {other} relevant? Probably: it {move}.",
    "I want to avoid calling everything {mood}.",
    "Plan: one claim, one doubt, one question back.",
    "Keep it short. No list this time.",
    "There's a tension between the {thing} and the {other} that I can name.",
)


def think(rng: Random, theme: Theme) -> str:
    """Write the reasoning that precedes a message."""
    words = theme.draw(rng)
    thoughts = rng.sample(THOUGHTS, rng.randint(2, 4))
    return "\n".join(line.format_map(words) for line in thoughts)


def _progress(turn: int, turns: int) -> float:
    """Say how far a conversation has come: 0 in its first turn, 1 in its last."""
    return turn / max(turns - 1, 1)
