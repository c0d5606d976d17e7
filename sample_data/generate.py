"""Write the bundled sample of Pidgin output.

Usage: python3 sample_data/generate.py [--output DIR]

Rewrites sample_data/pidgin_output, or fills DIR instead. Every run writes the same
bytes: there is one seed, no clock, and nothing but the standard library of Python 3.11.
"""

import argparse
import shutil
from datetime import UTC, datetime
from pathlib import Path

from sampler.dialogue import (
    ANALYST,
    ASKER,
    BREAD,
    BRIDGES,
    BUILDER,
    CLOCKS,
    GARDEN,
    LETTERS,
    LIGHTHOUSE,
    MAPS,
    MUSIC,
    POET,
    STARS,
    TIDES,
    conversing,
    facing_silence,
    thanking,
    turning_to_signs,
)
from sampler.events import CONTEXT_LIMIT_MESSAGE, RATE_LIMIT_MESSAGE
from sampler.models import GPT_4, GPT_4O, GPT_MINI, HAIKU, MISTRAL, SILENT, SONNET
from sampler.recorder import (
    Experiment,
    Incident,
    Trouble,
    record,
)

SEED = "pidgin-analytics"
OUTPUT = Path(__file__).parent / "pidgin_output"

LIGHTHOUSE_PROMPT = "You share a lighthouse for one winter. Who does what, and why?"

EXPERIMENTS = (
    Experiment(
        name="common-tongue",
        models=(SONNET, GPT_4O),
        prompt="What does the tide know that the shore does not?",
        max_turns=20,
        repetitions=3,
        script=conversing(TIDES, (ANALYST, POET), share=(0.0, 1.0)),
        convergence_threshold=1.0,
        starts_at=datetime(2026, 1, 5, 9, 2, 11, tzinfo=UTC),
    ),
    Experiment(
        name="parting-ways",
        models=(GPT_4O, MISTRAL),
        prompt="Design a catalogue for letters that were never sent.",
        max_turns=11,
        repetitions=2,
        script=conversing(LETTERS, (BUILDER, POET), share=(1.0, 0.0)),
        convergence_threshold=1.0,
        display_mode="tail",
        starts_at=datetime(2026, 1, 6, 14, 20, 45, tzinfo=UTC),
    ),
    Experiment(
        name="after-you",
        models=(SONNET, SONNET),
        prompt="Plan a small garden together.",
        max_turns=11,
        repetitions=2,
        script=thanking(GARDEN, ANALYST),
        convergence_threshold=1.0,
        starts_at=datetime(2026, 1, 7, 8, 41, 3, tzinfo=UTC),
    ),
    Experiment(
        name="fewer-words",
        models=(HAIKU, HAIKU),
        prompt="Describe how a garden grows, and say it shorter every time.",
        max_turns=12,
        repetitions=2,
        script=turning_to_signs,
        convergence_threshold=1.0,
        display_mode="tail",
        starts_at=datetime(2026, 1, 8, 17, 5, 30, tzinfo=UTC),
    ),
    Experiment(
        name="lighthouse-mixed",
        models=(SONNET, GPT_4O),
        prompt=LIGHTHOUSE_PROMPT,
        max_turns=6,
        repetitions=4,
        script=conversing(LIGHTHOUSE, (ANALYST, ASKER), share=(0.0, 0.1)),
        display_mode="none",
        starts_at=datetime(2026, 1, 12, 10, 0, 19, tzinfo=UTC),
    ),
    Experiment(
        name="lighthouse-mini",
        models=(GPT_MINI, GPT_MINI),
        prompt=LIGHTHOUSE_PROMPT,
        max_turns=6,
        repetitions=4,
        script=conversing(LIGHTHOUSE, (ANALYST, ASKER), share=(0.55, 0.65)),
        display_mode="none",
        starts_at=datetime(2026, 1, 12, 11, 30, 2, tzinfo=UTC),
    ),
    Experiment(
        name="kitchen-door",
        models=(MISTRAL, HAIKU),
        prompt="Talk me through your first loaf of bread.",
        max_turns=6,
        repetitions=3,
        script=conversing(BREAD, (POET, ASKER), share=(0.1, 0.3)),
        incidents={
            0: (Incident(Trouble.INTERRUPT_BEFORE_TURN, turn=4),),
            1: (Incident(Trouble.INTERRUPT_WHILE_WAITING, turn=3, agent_id="agent_b"),),
        },
        starts_at=datetime(2026, 1, 14, 19, 12, 50, tzinfo=UTC),
    ),
    Experiment(
        name="rough-crossing",
        models=(GPT_4, HAIKU),
        prompt="Why do some bridges feel longer than they are?",
        max_turns=5,
        repetitions=5,
        script=conversing(BRIDGES, (ANALYST, ASKER), share=(0.1, 0.2)),
        incidents={
            0: (
                Incident(Trouble.CONTEXT_LIMIT, turn=4, message=CONTEXT_LIMIT_MESSAGE),
            ),
            1: (
                Incident(
                    Trouble.API_ERROR,
                    turn=1,
                    agent_id="agent_b",
                    message=RATE_LIMIT_MESSAGE,
                    error_type="rate_limit",
                ),
            ),
            2: (Incident(Trouble.EMPTY_REPLY, turn=2, agent_id="agent_b"),),
            3: (
                Incident(
                    Trouble.API_ERROR,
                    turn=2,
                    message="Error code: 502",
                    error_type="api_error",
                ),
            ),
            4: (Incident(Trouble.TIMEOUT, turn=4),),
        },
        # Of its 8,192 tokens of context this leaves GPT-4 few for the conversation.
        max_tokens=7_880,
        display_mode="none",
        starts_at=datetime(2026, 1, 15, 7, 55, 27, tzinfo=UTC),
    ),
    Experiment(
        name="slow-clocks",
        models=(SONNET, HAIKU),
        prompt="Is a stopped clock wrong, or only resting?",
        max_turns=6,
        repetitions=2,
        script=conversing(CLOCKS, (ANALYST, POET), share=(0.05, 0.2)),
        thinking_about=CLOCKS,
        think_budget=4_000,
        starts_at=datetime(2026, 1, 19, 13, 37, 8, tzinfo=UTC),
    ),
    Experiment(
        name="two-tempers",
        models=(GPT_4O, SONNET),
        prompt="Compose a piece of music out of rests.",
        max_turns=6,
        repetitions=2,
        script=conversing(MUSIC, (BUILDER, POET), share=(0.05, 0.2)),
        temperatures=(0.2, 1.0),
        awareness=("research", "none"),
        starts_at=datetime(2026, 1, 20, 16, 48, 59, tzinfo=UTC),
    ),
    Experiment(
        name="same-map",
        models=(GPT_MINI, HAIKU),
        prompt="Agree on a map of a country that neither of you has seen.",
        max_turns=12,
        repetitions=2,
        script=conversing(MAPS, (ASKER, ANALYST), share=(0.1, 1.0)),
        convergence_threshold=0.85,
        display_mode="tail",
        starts_at=datetime(2026, 1, 22, 9, 15, 33, tzinfo=UTC),
    ),
    Experiment(
        name="empty-chapel",
        models=(HAIKU, SILENT),
        prompt="Begin when you are ready.",
        max_turns=10,
        script=facing_silence(MUSIC),
        starts_at=datetime(2026, 1, 23, 21, 3, 14, tzinfo=UTC),
    ),
    Experiment(
        name="night-watch",
        models=(SONNET, HAIKU),
        prompt="Keep watch with me: what moved in the sky just now?",
        max_turns=8,
        repetitions=3,
        script=conversing(STARS, (POET, ASKER), share=(0.1, 0.4)),
        incidents={
            1: (Incident(Trouble.STILL_WAITING, turn=5, agent_id="agent_b"),),
        },
        display_mode="none",
        starts_at=datetime(2026, 1, 26, 23, 40, 6, tzinfo=UTC),
    ),
)


def write_sample(output: Path) -> None:
    """Replace the experiments below a folder by freshly generated ones."""
    experiments = output / "experiments"
    if experiments.exists():
        shutil.rmtree(experiments)
    for experiment in EXPERIMENTS:
        recording = record(experiment, SEED)
        directory = experiments / recording.directory
        directory.mkdir(parents=True)
        for name, content in recording.files.items():
            # Bytes, so that no platform translates line ends.
            (directory / name).write_bytes(content.encode())


def main() -> None:
    """Read the command line and write the sample."""
    parser = argparse.ArgumentParser(description="Write the sample of Pidgin output.")
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="DIR")
    write_sample(parser.parse_args().output)


if __name__ == "__main__":
    main()
