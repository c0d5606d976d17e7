"""Dialogues, written as logs of Pidgin; and those of a public collection, with labels.

The collection is GitHub's ajobi-uhc/attractor-states: a folder with
`results/<models>/conversations.json`. It is no part of this project.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
# What a label of the collection is called in conversation_patterns.
LABELS = {
    "verbatim_loop": "loop",
    "farewell_loop": "farewell_loop",
    "gratitude_spiral": "gratitude_spiral",
    "silence": "silence",
    "symbol_ending": "symbol_ending",
    "shortening": "compression_phase",
}

Turns = Sequence[tuple[str, str]]
# The turn in which each pattern begins, NULL where it does not show.
Onsets = Mapping[str, int | None]


@dataclass(frozen=True)
class Dialogue:
    """What two agents said, and what is known of it.

    Attributes:
        name: its conversation id.
        group: what it belongs to: models, or a pattern with its strength.
        turns: the two messages of each turn.
        readings: what readers, or whoever made it, say of its patterns.
    """

    name: str
    group: str
    turns: Turns
    readings: Sequence[Onsets] = field(default=())


def collection(folder: Path, labels: Path | None = None) -> Iterator[Dialogue]:
    """Read the collection, each dialogue with its readings if it has any."""
    readings: dict[tuple[str, int], list[Onsets]] = {}
    if labels is not None:
        for labelled in json.loads(labels.read_text(encoding="utf-8"))["conversations"]:
            readings[labelled["file"], labelled["index"]] = [
                {LABELS[name]: reading[name] for name in LABELS}
                for reading in labelled["readings"]
            ]
    for path in sorted(folder.glob("results/*/conversations.json")):
        models = path.parent.name
        file = path.relative_to(folder).as_posix()
        conversations = json.loads(path.read_text(encoding="utf-8"))["conversations"]
        for index, conversation in enumerate(conversations):
            messages = [
                message["content"] for message in conversation["full_conversation"]
            ]
            yield Dialogue(
                f"conv_{models}_{index}".lower(),
                models,
                [*zip(messages[::2], messages[1::2], strict=False)],
                readings.get((file, index), ()),
            )


def write_logs(dialogues: Iterable[Dialogue], output_dir: Path) -> None:
    """Write one experiment for each group."""
    groups: dict[str, list[Dialogue]] = {}
    for dialogue in dialogues:
        groups.setdefault(dialogue.group, []).append(dialogue)
    for number, (group, members) in enumerate(groups.items()):
        experiment_id = f"exp_{number:04}"
        folder = output_dir / "experiments" / f"{group}_{experiment_id}"
        folder.mkdir(parents=True)
        manifest = {
            "experiment_id": experiment_id,
            "name": group,
            "created_at": START.isoformat(),
            "config": {"repetitions": len(members)},
            "total_conversations": len(members),
            "status": "completed",
            "conversations": {
                member.name: {"status": "completed", "last_updated": START.isoformat()}
                for member in members
            },
        }
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        for member in members:
            lines = [json.dumps(event) for event in events(member, experiment_id)]
            path = folder / f"events_{member.name}.jsonl"
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def events(dialogue: Dialogue, experiment_id: str) -> Iterator[dict[str, Any]]:
    """Make the events of a dialogue, a second apart."""
    moment = START

    def event(kind: str, **fields: Any) -> dict[str, Any]:
        nonlocal moment
        moment += timedelta(seconds=1)
        return {
            "event_type": f"{kind}Event",
            "timestamp": moment.isoformat(),
            "conversation_id": dialogue.name,
            "experiment_id": experiment_id,
            **fields,
        }

    yield event(
        "ConversationStart",
        agent_a_model="local:test",
        agent_b_model="local:test",
        max_turns=len(dialogue.turns),
    )
    for number, texts in enumerate(dialogue.turns):
        messages = {
            agent: {"role": "assistant", "content": text, "agent_id": agent}
            for agent, text in zip(("agent_a", "agent_b"), texts, strict=True)
        }
        yield event("TurnStart", turn_number=number)
        for agent, message in messages.items():
            yield event("MessageComplete", agent_id=agent, message=message)
        yield event(
            "TurnComplete",
            turn_number=number,
            turn={f"{agent}_message": message for agent, message in messages.items()},
            convergence_score=0.5,
        )
    yield event("ConversationEnd", reason="max_turns", status="completed")
