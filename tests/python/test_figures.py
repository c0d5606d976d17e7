"""Figures show what the warehouse holds, look the same everywhere, and do no harm."""

from __future__ import annotations

import csv
import html
import io
import math
import re
import shutil
import struct
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]
import pytest
from click.testing import CliRunner, Result
from conftest import ProjectMaker
from helpers.browser import opened_page
from helpers.harness import SAMPLE, Project
from scipy import stats  # type: ignore[import-untyped,unused-ignore]
from writers.logs import Conversation, OutputFolder, as_line, manifest

from pidgin_analytics import Warehouse
from pidgin_analytics.command_line import main
from pidgin_analytics.figures import (
    FIGURES,
    Figure,
    FigureError,
    drawing,
    figure,
    plain_text,
)
from pidgin_analytics.figures.shared import AGENT_COLOURS, DASHES, SHAPES

NAME = "=1+1 <script>alert(1)</script>\n\x01\u202e\"'&amp; שלום"
LONG = "long " * 2_000
MODEL = '=hyperlink("x")</text><script>\''
CONVERSATION = "conv_%\"'<b>; drop --"
# Six turns, so that there is a start and an end.
WORDS = ("=1+1 <b>lamp</b> שלום", "storm, lamp & @keeper", "sea </script> storm")
SOME = ("lighthouse-mini", "lighthouse-mixed", "common-tongue", "harm")


@pytest.fixture(scope="module")
def built(project: ProjectMaker, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Build the bundled sample and experiments that mean harm."""
    folder = OutputFolder(tmp_path_factory.mktemp("logs") / "output")
    shutil.copytree(SAMPLE, folder.path)
    for name, title in (("harm", NAME), ("long", LONG)):
        ids = [CONVERSATION, "conv_other"] if name == "harm" else ["conv_long"]
        for file, conversation in enumerate(ids):
            maker = Conversation(conversation)
            begin = maker.begin()
            begin["agent_a_model"] = MODEL
            events = [begin]
            for turn in range(6 + file):
                a, b = WORDS[turn % 3], f"{WORDS[(turn + file) % 3]} more {turn}"
                if (file, turn) == (1, 2):
                    # A's words count from here on, although B says nothing.
                    a, b = f"{a} tower gull", "[API error: overloaded]"
                events += maker.turn(turn, a, b)
            lines = [as_line(event) for event in [*events, maker.end()]]
            folder.write(f"{name}/events_{file}.jsonl", lines)
        folder.write(f"{name}/manifest.json", manifest(name, ids, name=title))
    folder.write("mute/events.jsonl", [as_line(Conversation("conv_mute").begin())])
    folder.write("mute/manifest.json", manifest("mute", ["conv_mute"]))
    made = project(folder.path)
    made.build_only()
    return made


@pytest.fixture(scope="module")
def warehouse(built: Project) -> Iterator[Warehouse]:
    """Open the warehouse."""
    with Warehouse(built.warehouse) as opened:
        yield opened


@pytest.fixture(scope="module")
def drawn(warehouse: Warehouse) -> dict[str, Figure]:
    """Make each figure once."""
    return {name: figure(warehouse, name, SOME, width="single") for name in FIGURES}


@pytest.fixture(scope="module")
def pictures(drawn: dict[str, Figure]) -> dict[str, str]:
    """Draw each figure once."""
    return {name: made.drawn("svg").decode() for name, made in drawn.items()}


def command(built: Project, *arguments: str) -> Result:
    """Run the command in this process."""
    runner = CliRunner(
        env=built.environment | {"PIDGIN_WAREHOUSE": str(built.warehouse)}
    )
    return runner.invoke(main, ["figure", *arguments])


def rows_of(made: Figure, **wanted: str) -> list[dict[str, Any]]:
    """Return the rows of a figure that have these values."""
    return [
        row
        for row in made.rows.to_pylist()
        if all(row[key] == value for key, value in wanted.items())
    ]


def tree(svg: str) -> ET.Element:
    """Read a picture."""
    return ET.fromstring(svg)  # noqa: S314


def marks(svg: str) -> Counter[str]:
    """Count what is drawn of data: points, bars, lines, rules."""
    found: Counter[str] = Counter()
    for group in tree(svg).iter("{http://www.w3.org/2000/svg}g"):
        names = (group.get("class") or "").split()
        if "role-mark" in names and names[0] != "mark-group":
            found[names[0].removeprefix("mark-")] += len(list(group))
    return found


def has_interval(rows: list[dict[str, Any]]) -> int:
    """Count the rows with an interval."""
    return sum(row["lower"] is not None for row in rows)


def different(rows: list[dict[str, Any]], *fields: str) -> int:
    """Count the different values of fields together."""
    return len({tuple(row[field] for field in fields) for row in rows})


@pytest.mark.parametrize("name", FIGURES)
def test_every_row_is_drawn(
    name: str, drawn: dict[str, Figure], pictures: dict[str, str]
) -> None:
    """Points, bars, lines and intervals are as many as the rows say."""
    made = drawn[name]
    rows = made.rows.to_pylist()
    kinds = {kind: rows_of(made, row_kind=kind) for kind in _kinds(rows)}
    single, means = kinds.get("conversation", []), kinds.get("mean", [])
    match name:
        case "convergence":
            expected = {
                "symbol": len(means),
                "rect": len(means),
                "line": different(single, "conversation_id") + 1,
                "area": 1,
            }
        case "convergence-each":
            expected = {"symbol": len(rows), "line": different(rows, "panel")}
        case "comparison":
            groups = different(rows, "group_name")
            expected = {"symbol": len(rows), "line": groups, "area": groups}
        case "difference":
            expected = {"symbol": len(rows), "rule": has_interval(rows) + 1}
        case "start-and-end":
            means = [row for row in means if row["moment"] != "change"]
            expected = {
                "symbol": len(single) + len(means),
                "line": different(single, "metric", "conversation_id")
                + different(means, "metric"),
                "rule": has_interval(means),
            }
        case "vocabulary":
            expected = {"symbol": len(rows), "line": 2, "area": 2}
        case "style":
            lines = different(rows, "metric", "agent")
            expected = {"line": lines, "area": lines}
        case "words":
            expected = {"rect": len(rows)}
        case "alignment":
            expected = {"symbol": len(rows), "rule": has_interval(rows) + 1}
        case "patterns":
            expected = {"symbol": len(kinds["pattern"]), "rule": len(single)}
        case "tokens-and-cost":
            lines = different(kinds["tokens"], "metric", "agent")
            known = [row for row in means if row["value"] is not None]
            expected = {
                "line": lines,
                "area": lines,
                "symbol": len(single) + len(known),
                "rule": has_interval(known),
            }
        case "response-times":
            expected = {"symbol": len(rows), "rule": len(kinds["model"])}
        case _:
            raise NotImplementedError(name)
    assert all(expected.values())
    assert marks(pictures[name]) == expected


def _kinds(rows: list[dict[str, Any]]) -> set[str]:
    return {row["row_kind"] for row in rows if "row_kind" in row}


def interval(values: Any) -> tuple[float, float]:
    """Compute a mean's interval as scipy does."""
    if len(values) < 2:
        return math.nan, math.nan
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return float(values.mean() - half), float(values.mean() + half)


def summary(frame: Any, keys: list[str], value: str) -> Any:
    """Compute mean, interval and count of each group with pandas and scipy."""
    lines = []
    for key, values in frame.dropna(subset=[value]).groupby(keys)[value]:
        lines.append((*key, values.mean(), *interval(values), len(values)))
    columns = [*keys, "value", "lower", "upper", "conversations"]
    return pd.DataFrame(lines, columns=columns)


def assert_same_frame(actual: Any, expected: Any, keys: list[str]) -> None:
    """Compare frames, whatever the order and the types of their numbers."""
    assert len(expected)
    actual, expected = (
        frame[list(expected.columns)].sort_values(keys).reset_index(drop=True)
        for frame in (actual, expected)
    )
    pd.testing.assert_frame_equal(
        actual, expected, check_dtype=False, rtol=1e-9, atol=1e-12
    )


@pytest.fixture(scope="module")
def messages(warehouse: Warehouse) -> Any:
    """Return the messages of the experiments, from the marts and not from views."""
    return warehouse.pandas(
        "select messages.*, metrics.* exclude (conversation_id, turn_number, agent_id),"
        "   upper(messages.agent_id[-1]) as agent"
        " from messages left join message_metrics as metrics"
        "   using (conversation_id, turn_number, agent_id)"
        " where messages.experiment_id in (" + _ids() + ")"
    )


@pytest.fixture(scope="module")
def turns(warehouse: Warehouse) -> Any:
    """Return the spoken turns of the experiments, likewise."""
    return warehouse.pandas(
        "select turn_metrics.*, coalesce(nullif(experiments.name, ''), '') as label"
        " from turn_metrics inner join experiments using (experiment_id)"
        " where is_spoken and turn_metrics.experiment_id in (" + _ids() + ")"
    )


def _ids() -> str:
    names = ", ".join(f"'{name}'" for name in SOME)
    return f"select experiment_id from experiments where name in ({names})" + (
        " or experiment_id = 'harm'"
    )


def test_convergence_is_that_of_pandas(drawn: dict[str, Figure], turns: Any) -> None:
    """Means, t-intervals and counts of each turn, and the scores themselves."""
    expected = summary(turns, ["turn_number"], "convergence_balanced")
    data = drawn["convergence"].data.rename(columns={"score": "value"})
    means = data[data["row_kind"] == "mean"]
    assert_same_frame(means, expected, ["turn_number"])
    single = data[data["row_kind"] == "conversation"]
    assert sorted(single["value"]) == sorted(turns["convergence_balanced"])

    expected = summary(turns, ["label", "turn_number"], "convergence_balanced")
    data = drawn["comparison"].data.rename(
        columns={"score": "value", "group_name": "label"}
    )
    assert_same_frame(data, expected, ["label", "turn_number"])

    each = drawn["convergence-each"].data
    for _, own in each.groupby("conversation_id"):
        # Of five turns, not of five scores.
        scores = own.set_index("turn_number")["score"]
        rolling = scores.reindex(range(scores.index.max() + 1)).rolling(5, 1).mean()
        assert own["rolling_mean"].to_list() == pytest.approx(
            rolling.loc[scores.index].to_list()
        )


def test_differences_are_those_of_welch(drawn: dict[str, Figure], turns: Any) -> None:
    """As scipy computes them, but for the degrees of freedom, which are whole."""
    scores = turns.groupby(["label", "conversation_id"])["convergence_balanced"].mean()
    groups = {label: list(own) for label, own in scores.groupby("label")}
    reference = groups["lighthouse-mini"]
    rows = rows_of(drawn["difference"], row_kind="difference")
    assert {row["group_name"] for row in rows} == set(groups) - {"lighthouse-mini"}
    for row in rows:
        own = groups[row["group_name"]]
        test = stats.ttest_ind(own, reference, equal_var=False)
        difference = sum(own) / len(own) - sum(reference) / len(reference)
        half = stats.t.ppf(0.975, math.floor(test.df)) * difference / test.statistic
        assert row["reference"] == "lighthouse-mini"
        assert row["degrees"] == pytest.approx(test.df)
        assert row["value"] == pytest.approx(difference)
        assert row["lower"] == pytest.approx(difference - half)
        assert row["upper"] == pytest.approx(difference + half)
        # Never narrower than with the degrees as they are.
        assert row["lower"] <= test.confidence_interval().low + 1e-12


def test_changes_are_those_of_the_paired_test(
    drawn: dict[str, Figure], turns: Any
) -> None:
    """The mean of each conversation's own change, with scipy's paired interval."""
    starts, ends = [], []
    for _, own in turns.sort_values("turn_number").groupby("conversation_id"):
        scores = list(own["convergence_balanced"])
        if len(scores) >= 6:
            starts.append(sum(scores[:3]) / 3)
            ends.append(sum(scores[-3:]) / 3)
    (row,) = rows_of(
        drawn["start-and-end"], row_kind="mean", metric="score", moment="change"
    )
    expected = stats.ttest_rel(ends, starts).confidence_interval()
    assert row["conversations"] == len(starts) > 5
    assert row["lower"] == pytest.approx(expected.low)
    assert row["upper"] == pytest.approx(expected.high)


def test_style_is_that_of_pandas(drawn: dict[str, Figure], messages: Any) -> None:
    """Each metric, agent and turn."""
    for metric, column in (
        ("words", "word_count"),
        ("diversity", "recent_mattr"),
        ("symbols", "symbol_share"),
        ("similarity", "similarity_to_partner"),
    ):
        keys = ["agent", "turn_number"]
        expected = summary(messages, keys, column)
        data = drawn["style"].data
        assert_same_frame(data[data["metric"] == metric], expected, keys)


def test_vocabulary_is_that_of_sets(
    drawn: dict[str, Figure], turns: Any, warehouse: Warehouse
) -> None:
    """Counted word by word, from the first use of each."""
    uses = warehouse.pandas(
        "select conversation_id, agent_id, word, first_turn from word_use"
    )
    first = {
        key: dict(zip(own["word"], own["first_turn"], strict=True))
        for key, own in uses.groupby(["conversation_id", "agent_id"])
    }
    lines = []
    for conversation, turn in zip(
        turns["conversation_id"], turns["turn_number"], strict=True
    ):
        said = [
            {
                word
                for word, number in first.get((conversation, agent), {}).items()
                if number <= turn
            }
            for agent in ("agent_a", "agent_b")
        ]
        lines.append(
            (conversation, turn, len(said[0] | said[1]), len(said[0] & said[1]))
        )
    frame = pd.DataFrame(lines, columns=["conversation_id", "turn_number", "n", "both"])
    frame["share"] = frame["both"] / frame["n"]
    data = drawn["vocabulary"].data
    for metric, column in (("distinct_words", "n"), ("share_of_both", "share")):
        expected = summary(frame, ["turn_number"], column)
        assert_same_frame(data[data["metric"] == metric], expected, ["turn_number"])
    half_spoken = warehouse.pandas("select * from turn_metrics where not is_spoken")
    assert {*half_spoken["conversation_id"]} & {*turns["conversation_id"]}


def test_words_are_those_that_spread(
    drawn: dict[str, Figure], warehouse: Warehouse
) -> None:
    """The most frequent ones, with the direction of each."""
    adoptions = warehouse.fetch(
        "select word, origin_agent_id, adopter_uses from word_adoptions"
        f" where not is_stop_word and experiment_id in ({_ids()})"
    )
    counts = Counter(row["word"] for row in adoptions)
    uses: Counter[str] = Counter()
    for row in adoptions:
        uses[row["word"]] += row["adopter_uses"]
    best = sorted(counts, key=lambda word: (-counts[word], -uses[word], word))[:20]
    directions = Counter(
        (row["word"], "A to B" if row["origin_agent_id"] == "agent_a" else "B to A")
        for row in adoptions
    )
    rows = rows_of(drawn["words"])
    assert list(dict.fromkeys(row["word"] for row in rows)) == best
    assert {(row["word"], row["direction"]): row["adopted_in"] for row in rows} == {
        key: count for key, count in directions.items() if key[0] in best
    }


def test_alignment_is_that_of_pandas(
    drawn: dict[str, Figure], messages: Any, turns: Any
) -> None:
    """Rates of each conversation, and the mean difference of each experiment."""
    sums = messages.groupby(["conversation_id", "agent"])[
        ["newly_shared_words", "word_count"]
    ].sum()
    rates = (100 * sums["newly_shared_words"] / sums["word_count"]).unstack()
    rates["difference"] = rates["A"] - rates["B"]
    rates["group_name"] = turns.groupby("conversation_id")["label"].first()
    data = drawn["alignment"].data
    single = data[data["row_kind"] == "conversation"].set_index("conversation_id")
    assert single["difference"].to_dict() == pytest.approx(
        rates["difference"].dropna().to_dict()
    )
    expected = summary(rates, ["group_name"], "difference")
    means = data[data["row_kind"] == "mean"].rename(columns={"difference": "value"})
    assert_same_frame(means, expected, ["group_name"])


def test_patterns_are_those_of_the_mart(
    drawn: dict[str, Figure], warehouse: Warehouse
) -> None:
    """Every onset, and no other."""
    columns = {
        "loop": "loop_turn",
        "farewell": "farewell_loop_turn",
        "gratitude": "gratitude_spiral_turn",
        "silence": "silence_turn",
        "symbol ending": "symbol_ending_turn",
        "vocabulary collapse": "vocabulary_collapse_turn",
        "echo chamber": "echo_chamber_turn",
        "symbolic phase": "symbolic_phase_turn",
        "compression": "compression_phase_turn",
    }
    expected = {
        (row["conversation_id"], pattern, row[column])
        for row in warehouse.fetch(
            f"select * from conversation_patterns where experiment_id in ({_ids()})"
        )
        for pattern, column in columns.items()
        if row[column] is not None
    }
    found = rows_of(drawn["patterns"], row_kind="pattern")
    assert {
        (row["conversation_id"], row["pattern"], row["turn_number"]) for row in found
    } == expected


def test_tokens_and_cost_are_those_of_the_marts(
    drawn: dict[str, Figure], messages: Any, warehouse: Warehouse
) -> None:
    """Sums over turns, and costs where they are known in full."""
    made = drawn["tokens-and-cost"]
    complete = messages[messages["is_turn_complete"]].sort_values("turn_number")
    data = made.data
    for metric in ("prompt", "completion"):
        frame = complete.copy()
        by_speaker = frame.groupby(["conversation_id", "agent_id"])
        frame["sum"] = by_speaker[f"{metric}_tokens"].transform(
            lambda tokens: (
                tokens.fillna(math.nan).cumsum().where(tokens.notna().cummin())
            )
        )
        keys = ["agent", "turn_number"]
        expected = summary(frame, keys, "sum")
        assert_same_frame(data[data["metric"] == metric], expected, keys)
    costs = {
        row["conversation_id"]: row["cost"]
        for row in warehouse.fetch(
            "select conversation_id, sum(cost_usd) as cost from token_usage"
            f" where experiment_id in ({_ids()}) group by conversation_id"
            " having count(*) = count(cost_usd)"
        )
    }
    found = {
        row["conversation_id"]: row["value"]
        for row in rows_of(made, row_kind="conversation")
    }
    assert found == pytest.approx(costs)
    without = sum(row["without_known_cost"] for row in rows_of(made, row_kind="mean"))
    assert without == messages["conversation_id"].nunique() - len(costs) > 0
    assert f"because their cost is not known: {without}." in made.caption


def test_response_times_are_those_of_pandas(
    drawn: dict[str, Figure], warehouse: Warehouse
) -> None:
    """Medians of speakers, and the quartiles of these for each model."""
    frame = warehouse.pandas(
        "select conversation_id, agent_id, model, response_time_ms / 1000 as seconds"
        " from analysis.messages where not is_api_error and response_time_ms is not"
        f" null and experiment_id in ({_ids()})"
    )
    speakers = frame.groupby(["model", "conversation_id", "agent_id"])["seconds"]
    medians = speakers.median()
    rows = rows_of(drawn["response-times"], row_kind="model")
    assert {row["model"] for row in rows} == set(frame["model"]) >= {MODEL}
    for row in rows:
        own = medians[row["model"]]
        quartiles = [own.quantile(q) for q in (0.25, 0.5, 0.75)]
        found = [row["lower"], row["seconds"], row["upper"]]
        assert found == pytest.approx(quartiles)


def test_data_as_csv(drawn: dict[str, Figure], warehouse: Warehouse) -> None:
    """Every cell says what its value is, none is a formula; twice the same."""
    for name, made in drawn.items():
        cells = list(csv.reader(io.StringIO(made.csv().decode(), newline="")))
        assert cells[0] == made.rows.column_names
        rows = made.rows.to_pylist()
        assert len(cells) == len(rows) + 1
        for line, row in zip(cells[1:], rows, strict=True):
            for cell, value in zip(line, row.values(), strict=True):
                match value:
                    case None:
                        assert cell == ""
                    case str():
                        assert cell == ("'" + value if value[0] in "=" else value)
                    case _:
                        assert float(cell) == value, name
    assert NAME in drawn["comparison"].data["group_name"].to_list()
    assert f"'{MODEL}".encode() in drawn["response-times"].csv().replace(b'""', b'"')
    for name in ("convergence", "difference", "start-and-end"):
        again = figure(warehouse, name, SOME, width="single")
        assert again.csv() == drawn[name].csv()
        assert again.caption == drawn[name].caption


def test_texts_from_outside_are_text(
    drawn: dict[str, Figure], pictures: dict[str, str]
) -> None:
    """Nothing in a picture runs, and names can be read."""
    for name, svg in pictures.items():
        root = tree(svg)
        kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert kinds <= {
            *("svg", "title", "desc", "rect", "g", "path", "text", "tspan", "line"),
            *("defs", "clipPath", "circle"),
        }, name
        attributes = {key for element in root.iter() for key in element.attrib}
        assert not {key for key in attributes if key.startswith("on")}
        assert "href" not in " ".join(attributes)
        assert not re.search("[\x00-\x08\u202e]", svg)
    shown = "".join(tree(pictures["comparison"]).itertext())
    assert "=1+1 <script>alert(1)</script>\ufffd\ufffd\ufffd\"'&amp; שלום" in shown
    assert MODEL in "".join(tree(pictures["response-times"]).itertext())
    shown = "".join(tree(pictures["convergence-each"]).itertext())
    assert CONVERSATION in shown
    assert html.escape(drawn["comparison"].caption) in pictures["comparison"]


def test_long_names_are_shortened_and_stay_apart(warehouse: Warehouse) -> None:
    """A name of ten thousand characters leaves room for the figure."""
    made = figure(warehouse, "difference", ["long", "harm"], width="single")
    assert LONG in made.data["group_name"].to_list()
    assert "long long" in made.drawn("svg").decode()
    assert len(made.drawn("svg")) < 60_000
    assert len(made.caption) < 1_500
    rows = [{"name": f"{'x' * 90}{number}"} for number in range(3)] + [{"name": "a"}]
    names = [row["name"] for row in drawing._displayed(rows)]
    assert len(set(names)) == 4
    assert names[3] == "a"
    assert plain_text("a\x00\u2028b") == "a\ufffd\ufffdb"


def test_a_paper_can_take_each(drawn: dict[str, Figure]) -> None:
    """As wide as a column in every format, with its fonts."""
    inches = 3.35
    for name, made in drawn.items():
        svg = made.drawn("svg").decode()
        (width,) = re.findall(r'^<svg [^>]*?width="([\d.]+)pt"', svg)
        assert inches * 72 - 4 <= float(width) <= inches * 72, name

        pdf = made.drawn("pdf")
        assert pdf.startswith(b"%PDF-")
        (box,) = re.findall(rb"/MediaBox \[0 0 ([\d.]+) [\d.]+\]", pdf)
        assert float(box) == pytest.approx(float(width), abs=0.01)
        descriptors = re.findall(rb"/Type /FontDescriptor.*?>>", pdf, re.DOTALL)
        assert descriptors
        assert all(re.search(rb"/FontFile[23]? \d", one) for one in descriptors), name
        # No font that a reader would have to have.
        assert set(re.findall(rb"/Subtype /(Type1|TrueType|MMType1)\b", pdf)) == set()
        fonts = re.findall(rb"/BaseFont /(\S+)", pdf)
        assert all(re.match(rb"[A-Z]{6}\+", font) for font in fonts)

        png = made.drawn("png")
        assert png.startswith(b"\x89PNG")
        pixels, _ = struct.unpack(">II", png[16:24])
        assert pixels == pytest.approx(float(width) / 72 * 600, abs=2)
        dots, _, unit = struct.unpack(">IIB", png[png.index(b"pHYs") + 4 :][:9])
        assert unit == 1
        assert dots == pytest.approx(600 / 0.0254, abs=1)


def test_wide_figures(warehouse: Warehouse) -> None:
    """Seven inches."""
    for name in ("convergence", "start-and-end", "difference", "tokens-and-cost"):
        svg = figure(warehouse, name, SOME, width="double").drawn("svg").decode()
        (width,) = re.findall(r'^<svg [^>]*?width="([\d.]+)pt"', svg)
        assert 7 * 72 - 4 <= float(width) <= 7 * 72, name


def luminance(colour: str) -> float:
    """Compute how light a colour is, as WCAG defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_in_grey(pictures: dict[str, str]) -> None:
    """Agents differ in lightness and dash, groups in dash and shape."""
    a, b = AGENT_COLOURS.to_dict()["range"]
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) > 1.5
    for name in ("style", "tokens-and-cost"):
        dashes: dict[str, set[str | None]] = {a: set(), b: set()}
        for element in tree(pictures[name]).iter():
            if element.get("stroke") in dashes and element.get("stroke-width"):
                dashes[element.get("stroke") or ""].add(element.get("stroke-dasharray"))
        assert dashes[a].isdisjoint(dashes[b])
    assert len({str(dash) for dash in DASHES}) == len(DASHES)
    assert len({*SHAPES}) == len(SHAPES)
    lines = [
        element.get("stroke-dasharray")
        for element in tree(pictures["comparison"]).iter()
        if element.get("stroke-width") == "1.2" and element.get("fill") is None
    ]
    assert len(lines) == len(set(lines)) == len(SOME)


OVERLAPS = """
() => [...document.querySelectorAll('svg')].flatMap(svg => {
    const frame = svg.getBoundingClientRect();
    const boxes = [...svg.querySelectorAll('text')]
        .filter(text => text.textContent.trim()
            && getComputedStyle(text).opacity != '0'
            && text.getAttribute('opacity') != '0')
        .map(text => [text.textContent, text.getBoundingClientRect()]);
    const name = svg.querySelector('title').textContent + ': ';
    const cut = boxes.filter(([, box]) => box.left < frame.left - 1
        || box.right > frame.right + 1 || box.top < frame.top - 1
        || box.bottom > frame.bottom + 1).map(([text]) => name + 'cut ' + text);
    const over = boxes.flatMap(([text, one], i) => boxes.slice(i + 1)
        .filter(([, two]) =>
            Math.min(one.right, two.right) - Math.max(one.left, two.left) > 1
            && Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top) > 2)
        .map(([other]) => name + text + ' over ' + other));
    return [...cut, ...over];
})
"""


def test_in_a_browser(pictures: dict[str, str], tmp_path: Path) -> None:
    """No text is cut or lies over another, nothing runs, nothing is asked for."""
    page = tmp_path / "all.html"
    body = "<hr>".join(
        # Each has its own names for the parts that it refers to.
        re.sub(r"\bclip(\d+)", rf"clip{number}-\1", svg)
        for number, svg in enumerate(pictures.values())
    )
    page.write_text(
        f"<!doctype html><meta charset=utf-8><title>All</title>{body}", encoding="utf-8"
    )
    with opened_page(page) as opened:
        count = opened.evaluate("document.querySelectorAll('svg').length")
        assert count == len(pictures)
        assert opened.evaluate(OVERLAPS) == []


def test_in_a_notebook(drawn: dict[str, Figure]) -> None:
    """It shows itself as a picture, with its caption as text."""
    shown = drawn["comparison"]._repr_html_()
    assert '<img src="data:image/svg+xml;base64,' in shown
    assert "<script" not in shown
    assert html.escape(drawn["comparison"].caption) in shown


def test_captions_say_what_they_rest_on(
    drawn: dict[str, Figure], warehouse: Warehouse
) -> None:
    """How many conversations, which interval, which score."""
    for name, made in drawn.items():
        assert re.search(r"onversations?\b.*\d", made.caption), name
        assert made.caption.endswith(".")
        if "lower" in made.rows.column_names and name != "response-times":
            assert "95 % t-intervals over conversations" in made.caption, name
    recorded = figure(warehouse, "convergence", SOME, score="recorded")
    assert recorded.caption.startswith("Convergence (recorded)")
    (row, *_) = rows_of(recorded, row_kind="mean")
    expected = warehouse.fetch(
        "select avg(convergence_score) as score from turn_metrics"
        f" where is_spoken and turn_number = 0 and experiment_id in ({_ids()})"
    )
    assert row["score"] == pytest.approx(expected[0]["score"])
    models = figure(warehouse, "difference", by="models").data
    pairs = warehouse.fetch(
        "select distinct model_pair from analysis.conversations"
        " where mean_convergence_balanced is not null"
    )
    assert {*models["group_name"]} == {row["model_pair"] for row in pairs}


def test_many_conversations_are_not_drawn_singly(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The means stay, and the caption says it."""
    monkeypatch.setattr(drawing, "SHOWN", 3)
    for name in ("convergence", "difference", "start-and-end", "alignment"):
        made = figure(warehouse, name, SOME)
        assert not rows_of(made, row_kind="conversation")
        assert rows_of(made, row_kind="mean")
        assert "are not drawn individually" in made.caption
    monkeypatch.setattr(drawing, "PANELS", 2)
    made = figure(warehouse, "convergence-each", SOME)
    assert made.data["panel"].nunique() == 2
    assert re.search(r"of 2 conversations of \d+, by experiment", made.caption)


def test_command(built: Project, tmp_path: Path) -> None:
    """Figure, data and caption, each whole."""
    paths = [tmp_path / "new" / name for name in ("f.PDF", "f.csv", "f.txt")]
    arguments = [
        *("convergence", "--experiment", "lighthouse-mini"),
        *("-o", str(paths[0]), "--data", str(paths[1]), "--caption", str(paths[2])),
    ]
    result = command(built, *arguments)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in paths[0].parent.iterdir()) == [
        *("f.PDF", "f.csv", "f.txt")
    ]
    assert paths[0].read_bytes().startswith(b"%PDF-")
    caption = paths[2].read_text(encoding="utf-8").strip()
    assert caption in result.output.replace("\n", " ")
    rows = list(csv.DictReader(io.StringIO(paths[1].read_text(encoding="utf-8"))))
    turns = built.query(
        "select turn_number, count(*) from analysis.turns where is_spoken"
        " and experiment_name = 'lighthouse-mini' group by all order by all"
    )
    assert [
        (int(row["turn_number"]), int(row["conversations"]))
        for row in rows
        if row["row_kind"] == "mean"
    ] == turns

    before = {path: path.read_bytes() for path in paths}
    again = command(built, *arguments)
    assert again.exit_code == 1
    assert "f.PDF is there already; --overwrite replaces it." in again.output
    assert {path: path.read_bytes() for path in paths} == before
    assert command(built, *arguments, "--overwrite").exit_code == 0


def test_list(built: Project) -> None:
    """A line each."""
    lines = command(built, "--list").output.splitlines()
    assert [line.split()[0] for line in lines] == list(FIGURES)
    assert all(len(line) <= 88 for line in lines)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["convergance"], 1, "no figure convergance; did you mean convergence"),
        (
            ["convergence", "--experiment", "lighthouse-min"],
            1,
            "no experiment lighthouse-min; did you mean lighthouse-mini",
        ),
        (["convergence", "--experiment", "\x1b[1m"], 1, "no experiment \ufffd[1m; the"),
        (
            ["convergence", "--experiment", "mute"],
            1,
            "nothing to draw: convergence needs complete turns that have a score",
        ),
        (["patterns", "--experiment", "mute"], 1, "needs conversations with a compl"),
        (["tokens-and-cost", "--experiment", "mute"], 1, "There is nothing to draw"),
        (["difference", "--experiment", "harm"], 1, "difference compares at least two"),
        (["comparison"], 1, "comparison shows at most 8 groups, and these are"),
        (["convergence", "--by", "models"], 1, "convergence has no groups; those by"),
        (["convergence", "--width", "triple"], 2, "'triple' is not one of"),
    ],
)
def test_refusals(
    arguments: list[str], code: int, says: str, built: Project, tmp_path: Path
) -> None:
    """One sentence says why, and no file is left."""
    result = command(built, *arguments, "-o", str(tmp_path / "f.svg"))
    assert result.exit_code == code, result.output
    assert says in result.output
    assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir())


def test_refusals_of_files(built: Project, tmp_path: Path) -> None:
    """A format that is not there, one file for two things, a folder."""
    for arguments, says in (
        ([], "Name a figure"),
        (["convergence"], "Name a figure"),
        (["convergence", "-o", "f.jpg"], "ends with .svg, .pdf, .png."),
        (["convergence", "-o", "f.svg", "--data", "f.svg"], "a different name"),
    ):
        result = command(built, *arguments)
        assert result.exit_code == 2
        assert says in result.output
    (tmp_path / "f.svg").mkdir()
    result = command(built, "words", "-o", str(tmp_path / "f.svg"), "--overwrite")
    assert result.exit_code == 1
    assert "f.svg is there already." in result.output
    (tmp_path / "file").write_text("mine")
    result = command(built, "words", "-o", str(tmp_path / "file" / "f.svg"))
    assert result.exit_code == 1
    assert "Nothing could be drawn: " in result.output


def test_without_a_warehouse(tmp_path: Path) -> None:
    """It is said what makes one."""
    runner = CliRunner(env={"PIDGIN_WAREHOUSE": str(tmp_path / "no.duckdb")})
    result = runner.invoke(main, ["figure", "words", "-o", str(tmp_path / "f.svg")])
    assert result.exit_code == 1
    assert "dbt build" in result.output
    assert not list(tmp_path.iterdir())


def test_unknown_format(drawn: dict[str, Figure]) -> None:
    """It is said which there are."""
    with pytest.raises(FigureError, match="svg, pdf, png, not jpg"):
        drawn["words"].drawn("jpg")
