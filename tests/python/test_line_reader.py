"""Whatever the bytes of a log, each line is taken for what it is.

One example is a file, and one build reads them all: shrinking would take a build for
each step, so the shortest files that differ are shown instead.
HYPOTHESIS_PROFILE=thorough tries more.
"""

from __future__ import annotations

import json
from dataclasses import astuple
from pathlib import Path
from typing import Any

from conftest import ProjectMaker
from hypothesis import example, given
from hypothesis import strategies as st
from oracles.logs import Logs
from writers.logs import OutputFolder, as_line

texts = st.text(st.characters(codec=None), max_size=12)  # halves of pairs, too
values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()  # also NaN and infinities, which Python writes
    | texts,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
    ),
    max_leaves=5,
)
types = st.sampled_from(["TurnStartEvent", "MessageCompleteEvent", "NoSuchEvent"])
fields = st.dictionaries(texts, values, max_size=3)
envelopes = st.builds(
    lambda kind, conversation, other: {
        **other,
        "conversation_id": conversation,
        "event_type": kind,
    },
    types,
    st.sampled_from(["one", "two", None]),
    fields,
)
nested = st.builds(lambda kind, data: {"event_type": kind, "data": data}, types, fields)
events = (envelopes | nested).map(lambda event: as_line(event).encode())
# Beyond ASCII, as Pidgin does not write it.
wide = fields.map(
    lambda other: json.dumps(
        {**other, "event_type": "WideEvent"}, ensure_ascii=False
    ).encode("utf-8", "replace")
)
others = values.map(lambda value: json.dumps(value).encode())
blanks = st.text(" \t\f", max_size=3).map(str.encode)
torn = st.builds(lambda line, size: line[: size % len(line)], events, st.integers(1))
marred = st.builds(
    lambda line, place, byte: (
        line[: place % len(line)] + byte + line[place % len(line) :]
    ),
    events,
    st.integers(0),
    st.sampled_from(
        [b'"', b"\\", b"\x00", b"\x1f", b"\xff", b"\xc3", b"{", b"\xc2\xa0"]
    ),
)
junk = st.binary(min_size=1, max_size=20) | st.text(max_size=20).map(
    lambda text: text.encode("utf-8", "replace")
)
# Where one JSON parser may differ from another.
oddities = st.sampled_from(
    [
        b'{"event_type":"XEvent","event_type":"YEvent"}',
        b'{"event_type":"XEvent","x":1e999}',
        b'{"event_type":"XEvent","x":-0,"y":1E5,"z":123456789012345678901234567890}',
        b'{"event_type":"XEvent","x":"\t"}',
        b'{"event_type":"XEvent","x":"\x7f"}',
        b'{"event_type":"XEvent","x":"\\u0000\\ud83d\\\\ud83d"}',
        b'{"event_type":"XEvent","x":01}',
        b'{"event_type":"XEvent","x":.5}',
        b"{'event_type':'XEvent'}",
        b'{"event_type":"XEvent"}{"event_type":"YEvent"}',
        b'{"event_type":"XEvent"} // comment',
        b'\xef\xbb\xbf{"event_type":"XEvent"}',
        b'{"event_type":null}',
        b'{"event_type":""}',
        b'{"\\u0065vent_type":"XEvent"}',
        b'{"data":{"event_type":"XEvent"}}',
        b"NaN",
        b"\xed\xa0\xbd",
        b"\xc0\x80",
        b"\xf4\x90\x80\x80",
        b"\xef\xbf\xbe",
        b"\x00",
        b"\x1a",
        b'"',
        b"\\",
        b"#",
    ]
)


def is_one_line(line: bytes) -> bool:
    """Tell whether a line does not end early."""
    return not {*b"\r\n"} & {*line}


lines = st.one_of(
    events, events, events, wide, others, blanks, torn, marred, junk, oddities
).filter(is_one_line)


@st.composite
def logs(draw: st.DrawFn) -> bytes:
    """Make the bytes of a log."""
    separators = draw(
        st.sampled_from(
            [[b"\n"], [b"\r\n"], [b"\r"], [b"\n", b"\r\n"], [b"\n", b"\r\n", b"\r"]]
        )
    )
    content = b"".join(
        line + draw(st.sampled_from(separators))
        for line in draw(st.lists(lines, max_size=8))
    )
    start = draw(st.sampled_from([b"", b"", b"", b"\xef\xbb\xbf"]))
    return start + content + draw(st.just(b"") | lines)


def test_each_line_is_taken_for_what_it_is(
    tmp_path: Path, project: ProjectMaker
) -> None:
    """Events, duplicates, rejected and pending lines are those of the oracle."""
    folder = OutputFolder(tmp_path)
    contents: dict[str, bytes] = {}

    # A reader takes \r for \r\n, or its delimiter for the end, and is none the wiser.
    @given(logs())
    @example(b'{"event_type":"XEvent"}\r\n0\r{"event_type":"ZEvent"}')
    @example(b'{"event_type":"XEvent"}\r\n0\r\r\n{"event_type":"ZEvent"}')
    @example(b'{"event_type":"XEvent"}\x01\x02\x03\x04x\n{"event_type":"YEvent"}\n')
    def collect(content: bytes) -> None:
        # Files share no lines, so that a mistake in one makes no duplicate in another.
        content = content.replace(b'Event"', b'Event","file":"%05d"' % len(contents))
        path = folder.write(f"{len(contents):05}.jsonl", content)
        contents[str(path)] = content

    collect()
    built = project(tmp_path)
    built.build_only("--select", "+event_files", "+rejected_lines", "+int_events")
    expected = Logs(tmp_path)

    actual: dict[str, list[tuple[int, str]]] = {name: [] for name in contents}
    for name, number, kind in built.query(
        "select source_file, line_number, 'event' from intermediate.int_events"
        " union all select source_file, line_number, 'rejected' from rejected_lines"
        " order by all"
    ):
        actual[name].append((number, kind))
    kinds: dict[str, list[tuple[int, str]]] = {name: [] for name in contents}
    # Of two parts of one line, in the order of the query.
    for line in sorted(expected.lines, key=lambda line: (line.line_number, line.kind)):
        if line.kind in ("event", "rejected"):
            kinds[line.source_file].append((line.line_number, line.kind))
    counts = {
        name: row
        for name, *row in built.query(
            "select source_file, line_count, event_count, duplicate_count,"
            " rejected_count, pending_count from event_files"
        )
    }
    differing = [
        f"{content!r}: lines {actual[name]}, not {kinds[name]};"
        f" counts {counts.get(name)}, not {[*astuple(expected.files[name])]}"
        for name, content in contents.items()
        if actual[name] != kinds[name]
        or counts.get(name) != [*astuple(expected.files[name])]
    ]
    assert not differing, f"{len(differing)} files\n" + "\n".join(
        sorted(differing, key=len)[:5]
    )
    # Each kind did occur.
    assert all(sum(column) > 0 for column in zip(*counts.values(), strict=True))
