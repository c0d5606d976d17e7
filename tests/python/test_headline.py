"""What people see first is of what agents said, in whatever script they said it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from conftest import ProjectMaker
from helpers.harness import Project
from oracles.logs import NO_REPLY
from writers.logs import START, Conversation, OutputFolder, as_line

ERROR = "[API error: 529 overloaded]"
TALK = ("The tide turns at noon.", "Then we sail at noon, tide or not.")
SILENCE = (ERROR, ERROR)
# Both messages of a turn, and the score that Pidgin records: placeholders are alike.
COURSES = {
    "all_failed": [(SILENCE, 1.0)] * 3,
    "failed_late": [(TALK, 0.2), (TALK, 0.3), (SILENCE, 1.0), ((NO_REPLY,) * 2, 1.0)],
    "recovered": [(TALK, 0.5), ((TALK[0], ERROR), 0.9), (TALK, 0.4), (TALK, 0.7)],
    "started_only": [],
}
# By script: prose with marks of its own, and one that has none.
PROSE = {
    "arabic": "مَرْحَبًا، كَيْفَ حَالُكَ؟",
    "bengali": "আমি বই পড়তে খুব ভালোবাসি।",
    "chinese": "你好，今天天气很好。我们去公园，好吗？",
    "hebrew": "שָׁלוֹם, מַה שְׁלוֹמְךָ?",
    "hindi": "नमस्ते, आप कैसे हैं? मुझे हिंदी पसंद है।",
    "persian": "می‌خواهم کتاب‌ها را بخوانم.",
    "thai": "สวัสดีครับ วันนี้อากาศดีมาก",
    "vietnamese": "Xin chào, hôm nay trời dẹp quá nhỉ?",
    "one_word": "Yes.",
}
SYMBOLS = {
    "pictographs": "🙏 → 🌟️",
    "hearts": "❤️❤️❤️",
    "arabic_with_symbols": "مَرْحَبًا 🙏🙏✨",
    "silence": "...",
}


@pytest.fixture(scope="module")
def built(project: ProjectMaker, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Build all conversations, each in an experiment of its own."""
    folder = OutputFolder(tmp_path_factory.mktemp("headline") / "pidgin_output")
    courses = COURSES | {
        name: [((text, text), 0.5)] * 3 for name, text in (PROSE | SYMBOLS).items()
    }
    for number, (name, course) in enumerate(courses.items()):
        maker = Conversation(name)
        events = [maker.begin()]
        for turn, ((a, b), score) in enumerate(course):
            events += maker.turn(turn, a, b, score)
        events.append(maker.end("high_convergence"))
        for event in events:
            content = event.get("message", {}).get("content")
            if content in (ERROR, NO_REPLY):
                event |= {"prompt_tokens": 0, "completion_tokens": 0}
        folder.write(
            f"experiments/{name}_{number:08x}/events_{name}.jsonl",
            map(as_line, events),
        )
    made = project(folder.path)
    made.build_only()
    return made


@pytest.mark.parametrize(
    "suffix", ["", f"_as_of(timestamptz '{START + timedelta(days=1)}')"]
)
def test_placeholders_are_no_agreement(built: Project, suffix: str) -> None:
    """No figure of an experiment has a score of a turn that nobody spoke in."""
    found = {
        name: figures
        for name, *figures in built.query(
            "select conversations.conversation_id, turns, spoken_turns,"
            " avg_convergence, median_convergence, convergence_trend,"
            " convergence_trend_within"
            f" from experiment_dashboard{suffix} as dashboard"
            " inner join conversations using (experiment_id)"
        )
    }
    assert {name: found[name] for name in COURSES} == {
        "all_failed": [3, 0, None, None, None, None],
        "failed_late": [4, 2, 0.25, 0.25, 0.1, 0.1],
        "recovered": [4, 3, 0.533333333333, 0.5, 0.05, 0.05],
        "started_only": [0, 0, None, None, None, None],
    }


def test_conversations_that_ended_on_placeholders(built: Project) -> None:
    """They say so, and their scores are those of what was said."""
    columns = "final_convergence, peak_convergence, ended_on_placeholders"
    found = {
        name: figures
        for name, *figures in built.query(
            f"select conversation_id, {columns} from conversations"
        )
    }
    assert {name: found[name] for name in COURSES} == {
        "all_failed": [None, None, True],
        "failed_late": [0.3, 0.3, True],
        "recovered": [0.7, 0.7, False],
        "started_only": [None, None, None],
    }


def test_recorded_scores_stay(built: Project) -> None:
    """Each turn has its own, and says whether both agents spoke."""
    assert built.query(
        "select turn_number, is_spoken, convergence_score, delta, rolling_avg_5"
        " from rolling_convergence where conversation_id = 'recovered' order by all"
    ) == [
        (0, True, 0.5, None, 0.5),
        (1, False, 0.9, None, 0.5),
        (2, True, 0.4, None, 0.45),
        (3, True, 0.7, 0.3, 0.533333333333),
    ]


def test_tokens_of_placeholders(built: Project) -> None:
    """Nobody counted them."""
    assert built.query(
        "select distinct is_api_error, prompt_tokens, completion_tokens from messages"
        " order by all"
    ) == [(False, 10, 5), (True, None, None)]


def test_symbols_in_any_script(built: Project) -> None:
    """Prose is no phase of symbols, whatever marks belong to its letters."""
    found: dict[str, bool] = dict(
        built.query(
            "select conversation_id, has_symbolic_phase from conversation_patterns"
        )
    )
    assert {name: found[name] for name in PROSE} == dict.fromkeys(PROSE, False)
    assert {name: found[name] for name in SYMBOLS} == dict.fromkeys(SYMBOLS, True)
