"""The report: every number equals the warehouse, and every text stays text."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from statistics import fmean, stdev
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner, Result
from conftest import ProjectMaker
from helpers.browser import (
    NARROW,
    WIDE,
    is_wider_than_window,
    opened_page,
    severe_violations,
)
from helpers.harness import SAMPLE, Project
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Page
from scipy import stats
from writers.logs import Conversation, OutputFolder, as_line, manifest

from pidgin_analytics.command_line import main
from pidgin_analytics.intervals import t_quantile, t_quantiles
from pidgin_analytics.palette import DARK, LIGHT
from pidgin_analytics.report import data, queries

EXPERIMENT = "=1+1 <img src=x onerror=alert(1)> \u202egnp.exe"
CONVERSATION = "conv/%\"'</script><script>alert(2)</script>"
TEXTS = [
    "<script>alert(3)</script>",
    '"><img src=x onerror="alert(4)">',
    "</script><script>alert(5)</script><!--",
    "<!-- <script> ]]> -->",
    "[a link](javascript:alert(6)) and javascript:alert(7)",
    "# no heading\n\n**not bold** `not code` <b>not bold</b>",
    "\x1b[31mred\x1b[0m and \x07",
    "=1+1",
    "NUL \x00 here",
    "\u2028 and \u2029 part lines",
    "x" * 100_000,
    "\u05e9\u05dc\u05d5\u05dd \u202eabc\u202c and \u200b\u200d\ufeff none",
    "{{ 7 * 7 }} ${7*7} {% raw %}",
    "first\r\nsecond\rthird",
    "\U0001f4a5 \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "The end.",
]
PAGES = (
    "#/",
    "#/conversations",
    "#/experiment/{experiment}",
    "#/conversation/{conversation}",
    "#/compare",
)


@pytest.fixture(scope="module")
def built(project: ProjectMaker, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Build the bundled sample and an experiment that means harm."""
    folder = OutputFolder(tmp_path_factory.mktemp("logs") / "output")
    shutil.copytree(SAMPLE, folder.path)
    maker = Conversation(CONVERSATION)
    events = [maker.begin(initial_prompt="<script>alert(8)</script>")]
    for number in range(0, len(TEXTS), 2):
        events += maker.turn(number // 2, *TEXTS[number : number + 2])
    folder.write(
        "harm/events.jsonl",
        [*(as_line(event) for event in [*events, maker.end()]), "=no event <b>"],
    )
    # One in which nobody says a word.
    folder.write("harm/events_2.jsonl", [as_line(Conversation("mute").begin())])
    folder.write("harm/manifest.json", manifest(EXPERIMENT, [CONVERSATION, "mute"]))
    made = project(folder.path)
    made.build_only()
    return made


def command(built: Project, *arguments: str) -> Result:
    """Run the command in this process."""
    runner = CliRunner(
        env=built.environment | {"PIDGIN_WAREHOUSE": str(built.warehouse)}
    )
    return runner.invoke(main, ["report", *arguments])


@pytest.fixture(scope="module")
def report(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the report of everything."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    result = command(built, "-o", str(path))
    assert result.exit_code == 0, result.output
    assert f"{path}, " in result.output
    return path


@pytest.fixture(scope="module")
def ids(built: Project) -> dict[str, str]:
    """Name an experiment and a conversation with something of everything."""
    experiment, conversation = built.query(
        "select experiment_id, conversation_id from analysis.conversations"
        " where experiment_name = 'common-tongue' order by all limit 1"
    )[0]
    return {"experiment": experiment, "conversation": conversation}


def shown(number: str) -> float | None:
    """Read a number as a page shows it."""
    text = number.replace(",", "").replace("$", "").split(" ")[0].strip()
    return None if text in ("", "–") else float(text)


def card(page: Page, name: str) -> float | None:
    """Read a card."""
    place = page.locator(f'[data-card="{name}"]')
    return shown(place.evaluate("card => card.firstChild.textContent"))


def table(page: Page, name: str) -> list[dict[str, str]]:
    """Read a table whose rows are all shown."""
    found: list[dict[str, str]] = page.evaluate(
        """name => [...document.querySelectorAll(`[aria-label="${name}"] tbody tr`)]
            .map(row => Object.fromEntries([...row.children].map(cell => {
                const text = cell.querySelector("bdi") ?? cell.firstChild;
                return [cell.dataset.label, text.textContent];
            })))""",
        name,
    )
    return found


def draw_all(page: Page) -> None:
    """Go down the page, which draws what comes near, and wait for all of it."""
    page.evaluate(
        """async () => {
            for (let y = 0; y < document.body.scrollHeight; y += 500) {
                scrollTo(0, y);
                await new Promise(next => requestAnimationFrame(next));
            }
        }"""
    )
    page.wait_for_function(
        "[...document.querySelectorAll('.chart')].every(chart => chart.dataset.drawn)"
    )


def wait_for_texts(page: Page) -> None:
    """Wait until a reader has what was said."""
    page.wait_for_function(
        "!document.querySelector('main .empty')?.textContent.startsWith('Loading')"
    )


def numbers(page: Page, chart: str) -> list[dict[str, str]]:
    """Open the numbers of a chart and read them."""
    figure = page.locator(f'[data-chart="{chart}"]')
    figure.locator("summary").click()
    page.wait_for_selector(f'[data-chart="{chart}"] tbody tr')
    found: list[dict[str, str]] = figure.evaluate(
        """figure => {
            const heads = [...figure.querySelectorAll("th")];
            return [...figure.querySelectorAll("tbody tr")].map(row =>
                Object.fromEntries([...row.children].map((cell, index) =>
                    [heads[index].textContent, cell.textContent])));
        }"""
    )
    return found


def close(value: float | None, other: float | None, digits: int) -> bool:
    """Compare a number with what is shown of it."""
    if value is None or other is None:
        return value is other
    return bool(abs(value - other) <= 0.5 * 10**-digits + 1e-5 * abs(other) + 1e-9)


def test_overview_equals_the_marts(built: Project, report: Path) -> None:
    """Cards and rows without a filter are those of the dashboard."""
    totals = built.query(
        "select count(*), sum(conversations), sum(turns), sum(messages), sum(words),"
        " sum(prompt_tokens), sum(completion_tokens), sum(cost_usd), sum(incidents)"
        " from experiment_dashboard"
    )[0]
    mean = built.value(
        "select avg(convergence_balanced) from turn_metrics where is_spoken"
    )
    names = (
        *("Experiments", "Conversations", "Complete turns", "Messages", "Words"),
        *("Prompt tokens", "Completion tokens", "Cost", "Incidents"),
    )
    rows = {
        row[0]: row[1:]
        for row in built.query(
            "select name, conversations, turns, avg_convergence_balanced,"
            " avg_convergence, convergence_trend_within_balanced, words,"
            " completion_tokens, cost_usd, incidents from experiment_dashboard"
        )
    }
    quality = built.query(
        "select count(*), sum(line_count), sum(event_count), sum(duplicate_count),"
        " sum(rejected_count) from event_files"
    )[0]
    with opened_page(report) as page:
        for name, value in zip(names, totals, strict=True):
            assert close(card(page, name), value, 4 if name == "Cost" else 0), name
        assert close(card(page, "Convergence, balanced"), mean, 3)
        found = {row["Experiment"]: row for row in table(page, "Experiments")}
        assert {name.replace("\x1b", "\u241b") for name in rows} == set(found)
        columns = (
            ("Conversations", 0),
            ("Turns", 0),
            ("Convergence, balanced", 3),
            ("As recorded", 3),
            ("Change per turn, within conversations", 4),
            ("Words", 0),
            ("Completion tokens", 0),
            ("Cost", 4),
            ("Incidents", 0),
        )
        for name, values in rows.items():
            for (column, digits), value in zip(columns, values, strict=True):
                assert close(shown(found[name][column]), value, digits), (name, column)
        text = page.locator(".quality").inner_text()
        assert [int(one) for one in re.findall(r"\d+", text.replace(",", ""))[:5]] == [
            quality[0],
            quality[1],
            quality[2],
            quality[3],
            quality[4],
        ]
        assert "1 line rejected: " in text


def test_sorting(built: Project, report: Path) -> None:
    """A click sorts, a second one turns it around; what is not known comes last."""
    with opened_page(report) as page:
        button = page.locator("thead button.sort", has_text="Cost")
        button.click()
        first = [shown(row["Cost"]) for row in table(page, "Experiments")]
        assert page.locator("th[aria-sort=descending]", has_text="Cost").count() == 1
        button.click()
        second = [shown(row["Cost"]) for row in table(page, "Experiments")]
    known = sorted(value for value in first if value is not None)
    unknown = [None] * (len(first) - len(known))
    assert unknown
    assert first == known[::-1] + unknown
    assert second == known + unknown


def test_filter(built: Project, report: Path) -> None:
    """One filter acts on cards, rows, curves and the comparison."""
    chosen = "status = 'interrupted' and 'gpt-4' in (agent_a_model, agent_b_model)"
    count, turns = built.query(
        "select count(*), sum(turn_count) from analysis.conversations where " + chosen
    )[0]
    experiment = built.value(
        "select min(experiment_id) from analysis.conversations where " + chosen
    )
    curve = built.query(
        "select turn_number, count(*), avg(convergence_balanced) from analysis.turns"
        f" where is_spoken and {chosen} and experiment_id = '{experiment}'"
        " group by all order by all"
    )
    assert curve
    with opened_page(report) as page:
        page.select_option("select[name=model]", "gpt-4")
        page.select_option("select[name=status]", "interrupted")
        assert card(page, "Conversations") == count
        assert card(page, "Complete turns") == turns
        assert f"{count} of " in page.locator("#chosen").inner_text()
        page.locator("main a", has_text="rough-crossing").click()
        assert card(page, "Conversations") == count
        draw_all(page)
        found = numbers(page, "convergence_balanced")
        assert [(int(row["turn"]), int(row["conversations"])) for row in found] == [
            (turn, number) for turn, number, _ in curve
        ]
        for row, (_, _, mean) in zip(found, curve, strict=True):
            assert close(shown(row["mean"]), mean, 4)
        page.locator("header nav a", has_text="Comparison").click()
        assert "status=interrupted" in page.url
        differences = table(page, "Differences")
        assert sum(int(row["Conversations"]) for row in differences) == count
        page.locator("#filter button").click()
        everything = built.value("select count(*) from conversations")
        assert f"{everything} of " in page.locator("#chosen").inner_text()
        # Chosen values that no conversation has say so.
        page.goto(report.as_uri() + "#/?model=nobody")
        assert "No conversation is like this" in page.locator("main").inner_text()


def test_every_chart_is_drawn(
    built: Project, report: Path, ids: dict[str, str]
) -> None:
    """As many marks as values, and the values are those of the warehouse."""
    experiment = ids["experiment"]
    spoken = f"from analysis.turns where is_spoken and experiment_id = '{experiment}'"
    dice = Random(0)
    with opened_page(report, f"#/experiment/{experiment}") as page:
        draw_all(page)
        drawn = {
            figure["chart"]: figure
            for figure in page.evaluate(
                """() => [...document.querySelectorAll("figure")].map(figure => {
                    const marks = kind => figure.querySelectorAll(
                        `.mark-${kind}.role-mark path`).length;
                    return {
                        chart: figure.dataset.chart, rows: Number(figure.dataset.rows),
                        points: marks("symbol"), bars: marks("rect"),
                    };
                })"""
            )
        }
        on_page = [metric for metric in queries.METRICS if metric.key in drawn]
        assert len(on_page) == len(queries.METRICS) - 1
        compared = 0
        for metric in on_page:
            wanted: dict[tuple[str, int], tuple[float, float | None, int]] = {}
            for series, label in zip(metric.series, metric.labels, strict=True):
                values: dict[int, list[float]] = {}
                for turn, value in built.query(
                    f"select turn_number, {series.column} * {series.scale} {spoken}"
                    f" and {series.column} is not null"
                ):
                    values.setdefault(turn, []).append(float(value))
                for turn, found in values.items():
                    half = None
                    if len(found) > 1:
                        half = stats.t.ppf(0.975, len(found) - 1) * stdev(found)
                        half /= math.sqrt(len(found))
                    wanted[label, turn] = fmean(found), half, len(found)
            assert drawn[metric.key]["rows"] == len(wanted)
            assert drawn[metric.key]["points"] == len(wanted), metric.key
            if not wanted:
                continue
            rows = numbers(page, metric.key)
            for row in dice.sample(rows, min(len(rows), 25)):
                mean, half, count = wanted[row["line"], int(row["turn"])]
                assert close(shown(row["mean"]), mean, 4)
                assert int(row["conversations"]) == count
                low = None if half is None else mean - half
                assert close(shown(row["low"]), low, 4)
                compared += 1
        assert compared >= 200

        single = built.value(f"select count(convergence_balanced) {spoken}")
        # Legends of points are symbols, too, but have another role.
        assert drawn["small_multiples"]["points"] == single
        ends = 2 * built.value(
            f"select count(*) from (select conversation_id {spoken}"
            " group by all having count(*) > 1)"
        )
        assert drawn["start_and_end"]["points"] == ends
        patterns = sum(
            built.value(
                f"select count({column}) from analysis.conversations"
                f" where experiment_id = '{experiment}'"
            )
            for column, _ in queries.PATTERNS
        )
        incidents = built.value(
            "select count(turn_number) from incidents where experiment_id = ?",
            [experiment],
        )
        assert drawn["timeline"]["points"] == patterns + incidents > 0
        words = built.query(
            "select word, origin_agent_id, count(*) from word_adoptions"
            " where not is_stop_word and experiment_id = ? group by all",
            [experiment],
        )
        totals: dict[str, int] = {}
        for word, _, count in words:
            totals[word] = totals.get(word, 0) + count
        for row in numbers(page, "words"):
            origin = {"A to B": "agent_a", "B to A": "agent_b"}[row["direction"]]
            assert (row["word"], origin, int(row["conversations"])) in words
        # No word that is left out is in more conversations than one that is shown.
        names = {row["word"] for row in numbers_again(page, "words")}
        assert len(names) == min(25, len(totals))
        least = min(totals[name] for name in names)
        assert all(totals[name] <= least for name in totals.keys() - names)
        assert drawn["words"]["bars"] == drawn["words"]["rows"]

        # The other score is chosen for all charts of scores.
        page.check("input[value=convergence_score]")
        assert page.locator('[data-chart="convergence_score"]').count() == 1
        assert page.locator('[data-chart="convergence_balanced"]').count() == 0


def numbers_again(page: Page, chart: str) -> list[dict[str, str]]:
    """Read the numbers of a chart, which are open."""
    page.locator(f'[data-chart="{chart}"] summary').click()
    return numbers(page, chart)


def test_comparison(built: Project, report: Path) -> None:
    """Means, intervals and differences are those of another implementation."""
    groups: dict[str, list[float]] = {}
    for name, value in built.query(
        "select experiment_name, mean_convergence_balanced from analysis.conversations"
        " where mean_convergence_balanced is not null"
    ):
        groups.setdefault(name, []).append(value)
    with opened_page(report, "#/compare") as page:
        draw_all(page)
        rows = table(page, "Differences")
        assert len(rows) == 3
        first = groups[rows[0]["Group"]]
        for place, row in enumerate(rows):
            values = groups[row["Group"]]
            assert int(row["Conversations"]) == len(values)
            assert close(shown(row["Mean"]), fmean(values), 4)
            interval = stats.ttest_1samp(values, 0).confidence_interval()
            low, high = (float(one) for one in row["Interval"].split(" to "))
            assert close(low, interval.low, 4)
            assert close(high, interval.high, 4)
            if place:
                test = stats.ttest_ind(values, first, equal_var=False)
                half = stats.t.ppf(0.975, math.floor(test.df)) * math.sqrt(
                    sum(stdev(one) ** 2 / len(one) for one in (values, first))
                )
                change = fmean(values) - fmean(first)
                low, high = (
                    float(one)
                    for one in row["Interval of the difference"].split(" to ")
                )
                assert close(low, change - half, 4)
                assert close(high, change + half, 4)
        # Others are chosen, at most six, by other groups and of another measure.
        for _ in range(3):
            page.locator("input[name=group]:not(:checked)").first.click()
            assert page.evaluate("document.activeElement.name") == "group"
        assert len(table(page, "Differences")) == 6
        assert page.locator("input[name=group]:not(:checked):enabled").count() == 0
        page.select_option("select[name=by]", "pair")
        page.select_option("select[name=measure]", "turn_count")
        pairs = {
            " and ".join(sorted((a or "unknown", b or "unknown")))
            for a, b in built.query(
                "select agent_a_model, agent_b_model from conversations"
            )
        }
        assert {row["Group"] for row in table(page, "Differences")} <= pairs


def visible(text: str) -> str:
    """Show what a terminal would obey as a picture of itself."""
    return re.sub(
        "[\x00-\x08\x0b-\x1f]",
        lambda found: chr(0x2400 + ord(found[0])),
        text.replace("\r\n", "\n"),
    )


def test_reader_shows_what_was_said(built: Project, report: Path) -> None:
    """Every text of conversations stands there, letter for letter, in its order."""
    rows = built.query(
        "select conversation_id, turn_number, agent_id, content from messages"
        " order by conversation_id, turn_number, agent_id"
    )
    said: dict[str, list[str]] = {}
    for conversation, _, _, content in rows:
        said.setdefault(conversation, []).append(visible(content))
    scores = {
        (conversation, turn): value
        for conversation, turn, value in built.query(
            "select conversation_id, turn_number, convergence_balanced"
            " from turn_metrics"
        )
    }
    with opened_page(report) as page:
        compared = 0
        for conversation, texts in said.items():
            page.evaluate(
                "id => { location.hash = `#/conversation/${encodeURIComponent(id)}`; }",
                conversation,
            )
            page.wait_for_function(
                "id => document.querySelector('h1').textContent === id"
                " && document.querySelector('.transcript')",
                arg=visible(conversation),
            )
            found = page.evaluate(
                "() => [...document.querySelectorAll('.message > .text')]"
                ".map(text => text.textContent)"
            )
            assert found == texts
            beside = page.evaluate(
                """() => [...document.querySelectorAll(".turn[id^=turn-]")].map(turn =>
                [Number(turn.id.slice(5)), turn.querySelector("dd")?.textContent])"""
            )
            for turn, value in beside:
                if value is not None:
                    assert close(shown(value), scores[conversation, turn], 3)
                    compared += 1
        assert compared >= 200


def test_reader_marks_words_and_incidents(built: Project, report: Path) -> None:
    """Words taken over are marked where they were, incidents stand in their turn."""
    conversation = built.value(
        "select conversation_id from word_adoptions where not is_stop_word"
        " and word similar to '[a-z]+' group by all order by count(*) desc limit 1"
    )
    expected = {
        (turn, "agent_b" if origin == "agent_a" else "agent_a", word)
        for turn, origin, word in built.query(
            "select adopted_turn, origin_agent_id, word from word_adoptions"
            " where not is_stop_word and word similar to '[a-z]+'"
            " and conversation_id = ?",
            [conversation],
        )
    }
    assert len(expected) > 5
    with opened_page(report, f"#/conversation/{conversation}") as page:
        page.wait_for_selector(".transcript")
        marked = {
            (int(turn), agent, word.lower())
            for turn, agent, word in page.evaluate(
                """() => [...document.querySelectorAll("mark.adopted")].filter(
                    mark => mark.closest(".turn")).map(mark => [
                    mark.closest(".turn").id.slice(5),
                    mark.closest(".of-a") ? "agent_a" : "agent_b", mark.textContent])"""
            )
            if re.fullmatch("[a-z]+", word.lower())
        }
        assert marked == expected
        conversation, turn, kind = built.query(
            "select conversation_id, turn_number, incident_type from incidents"
            " where turn_number is not null order by all limit 1"
        )[0]
        page.evaluate("id => { location.hash = `#/conversation/${id}`; }", conversation)
        place = page.locator(f"#turn-{turn} .incident").first
        assert kind.replace("_", " ") in place.inner_text()


def test_reader_by_keyboard(built: Project, report: Path) -> None:
    """Deep links, turns, conversations and the search need no mouse."""
    experiment = built.value(
        "select experiment_id from experiments where name = 'common-tongue'"
    )
    conversations = [
        row[0]
        for row in built.query(
            "select conversation_id from analysis.conversations"
            " where experiment_id = ? order by started_at, conversation_id",
            [experiment],
        )
    ]
    word = "the"
    count = sum(
        content.lower().count(word)
        for (content,) in built.query(
            "select content from messages where conversation_id = ?",
            [conversations[1]],
        )
    )
    with opened_page(report, f"#/conversation/{conversations[0]}/turn/7") as page:
        page.wait_for_selector("#turn-7.current")
        place = page.locator("#turn-7").bounding_box()
        assert place is not None
        assert 0 <= place["y"] < 400
        page.keyboard.press("j")
        assert page.url.endswith("/turn/8")
        page.keyboard.press("k")
        page.keyboard.press("k")
        assert page.locator(".turn.current").get_attribute("id") == "turn-6"
        page.keyboard.press("]")
        page.wait_for_function(
            "id => document.querySelector('h1').textContent === id",
            arg=conversations[1],
        )
        page.keyboard.press("/")
        page.keyboard.type(word)
        assert page.locator("mark.found").count() == count > 1
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        assert f"2 of {count} places" in page.locator(".tools output").inner_text()
        assert page.locator("mark.found.current").count() == 1
        page.keyboard.press("Escape")
        assert page.locator("mark.found").count() == 0
        page.keyboard.press("[")
        page.wait_for_function(
            "id => document.querySelector('h1').textContent === id",
            arg=conversations[0],
        )


def test_texts_stay_texts(built: Project, report: Path) -> None:
    """Nothing that was said or named runs, or breaks the page, on any width."""
    experiment = built.value(
        "select experiment_id from experiments where name = ?", [EXPERIMENT]
    )
    for width in (WIDE, NARROW):
        # Which fails at a dialog, an error, or a request.
        with opened_page(report, width=width) as page:
            for address in (
                f"#/experiment/{experiment}",
                f"#/conversation/{quote(CONVERSATION, safe='')}",
            ):
                page.evaluate("hash => { location.hash = hash; }", address)
                page.wait_for_selector("h1")
                draw_all(page)
                page.wait_for_timeout(200)
                assert not is_wider_than_window(page)
            assert page.locator(".message").count() == len(TEXTS)
            assert (
                page.locator("main img, main script, main b, main iframe").count() == 0
            )
            assert page.locator("main a[href^='javascript']").count() == 0
            page.goto(report.as_uri() + "#/compare")
            draw_all(page)
            assert not is_wider_than_window(page)


def test_links_resolve(built: Project, report: Path) -> None:
    """Every link of every kind of page leads to something."""
    with opened_page(report) as page:
        seen = {"#/"}
        waiting = ["#/"]
        while waiting:
            page.evaluate("hash => { location.hash = hash; }", waiting.pop())
            wait_for_texts(page)
            text = page.locator("main").inner_text()
            assert "Not here" not in text
            for link in page.evaluate(
                "[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))"
            ):
                assert link.startswith("#")
                # Turns are places of a page that is looked at anyway.
                if link not in seen and "/turn/" not in link and link != "#main":
                    seen.add(link)
                    waiting.append(link)
        count = built.value("select count(*) from conversations")
        assert sum(link.startswith("#/conversation/") for link in seen) == count
        page.goto(report.as_uri() + "#/conversation/nobody")
        assert "There is no conversation nobody" in page.locator("main").inner_text()
        page.goto(report.as_uri() + "#/experiment/%E0%A4%A")
        assert "Not here" in page.locator("main").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_for_everybody(
    report: Path, ids: dict[str, str], scheme: Any
) -> None:
    """No serious breach of the rules of access, and nothing wider than a phone."""
    for width in (WIDE, NARROW):
        with opened_page(report, scheme=scheme, width=width) as page:
            for address in PAGES:
                page.evaluate(
                    "hash => { location.hash = hash; }", address.format(**ids)
                )
                wait_for_texts(page)
                draw_all(page)
                assert severe_violations(page) == []
                assert not is_wider_than_window(page), address
            page.goto(report.as_uri() + "#/")
            page.locator("main .info").first.click()
            assert len(page.locator("#definition").inner_text()) > 40


def test_scheme_can_be_chosen(report: Path) -> None:
    """The button changes the colours, whatever the system says."""
    background = "getComputedStyle(document.body).backgroundColor"
    with opened_page(report) as page:
        before = page.evaluate(background)
        page.locator("#scheme").click()
        assert page.evaluate(background) != before
        assert page.locator("#scheme").inner_text() == "Light"


def contrast(one: str, other: str) -> float:
    """Return the ratio of contrast of two colours, as WCAG 2 defines it."""

    def luminance(color: str) -> float:
        parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
            for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_contrast(palette: Any) -> None:
    """Text is at 4.5 to 1 on both backgrounds, and marks and borders at 3 to 1."""
    for background in (palette.background, palette.panel):
        for text in (
            *(palette.text, palette.quiet_text, palette.accent),
            *(palette.agent_a_text, palette.agent_b_text, palette.warning_text),
        ):
            assert contrast(text, background) >= 4.5, text
        assert contrast(palette.control, background) >= 3
    for mark in (*palette.series, palette.agent_a):
        assert contrast(mark, palette.background) >= 3, mark
    # In print without colour.
    assert contrast(palette.agent_a, palette.agent_b) > 1.1


def test_texts_in_files(built: Project, tmp_path: Path) -> None:
    """Long reports have texts beside them; those of conversations that went, go."""
    path = tmp_path / "long report.html"
    result = command(built, "-o", str(path), "--inline-megabytes", "0", "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.output)
    count = built.value("select count(*) from conversations")
    folder = tmp_path / "long report_transcripts"
    assert said["transcripts"] == "files"
    assert said["folder"] == str(folder)
    assert said["conversations"] == len(list(folder.iterdir())) == count
    assert said["bytes"] == path.stat().st_size
    # Neither as it is, nor as the end of one of the page's own scripts.
    assert "</script><script>" not in path.read_text(encoding="utf-8")
    with opened_page(path, "#/conversation/" + quote(CONVERSATION, safe="")) as page:
        page.wait_for_selector(".transcript")
        found = page.locator(".message > .text").all_text_contents()
        assert found == [visible(text) for text in TEXTS]

    mine = folder / "mine.txt"
    mine.write_text("mine", encoding="utf-8")
    result = command(
        built, "-o", str(path), "--inline-megabytes", "0", "--experiment", EXPERIMENT
    )
    assert result.exit_code == 0, result.output
    assert "1 experiment, 2 conversations" in result.output
    assert len(list(folder.iterdir())) == 3
    result = command(built, "-o", str(path), "--no-transcripts", "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    assert list(folder.iterdir()) == [mine]
    with opened_page(path, "#/conversation/" + quote(CONVERSATION, safe="")) as page:
        page.wait_for_selector(".empty")
        assert "without transcripts" in page.locator("main").inner_text()


def test_samples_are_said_to_be_samples(
    built: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is too much to draw is drawn in part, and the page says so."""
    monkeypatch.setattr(data, "SHOWN_OF_EACH", 1)
    monkeypatch.setattr(data, "CURVE_ROWS", 50)
    path = tmp_path / "report.html"
    assert command(built, "-o", str(path)).exit_code == 0
    rows = built.value(
        "select count(distinct (experiment_id, agent_a_model, agent_b_model, status,"
        " turn_number)) from analysis.turns where is_spoken"
    )
    every = math.ceil(rows / 50)
    experiment = built.value(
        "select experiment_id from experiments where name = 'common-tongue'"
    )
    with opened_page(path) as page:
        text = page.locator(".quality").inner_text()
        assert f"every {every}th turn" in text or "every third turn" in text
        assert "at most 1 of each experiment" in text
        page.goto(path.as_uri() + f"#/experiment/{experiment}")
        draw_all(page)
        assert "drawn for 1 of 3" in page.locator("main").inner_text()
        turns = {int(row["turn"]) for row in numbers(page, "convergence_balanced")}
        assert turns == {turn for turn in range(20) if turn % every == 0}
        # Numbers still are of all.
        assert card(page, "Conversations") == 3


def test_an_unknown_experiment(built: Project, tmp_path: Path) -> None:
    """It is named in one sentence that a terminal cannot obey; nothing is written."""
    path = tmp_path / "report.html"
    result = command(built, "-o", str(path), "--experiment", "comon \x1b[31m tongue")
    assert result.exit_code == 1
    assert "There is no experiment comon \ufffd[31m tongue; " in result.output
    assert len(result.output.strip().splitlines()) == 1
    result = command(built, "-o", str(path), "--experiment", "comon-tongue")
    assert "did you mean common-tongue?" in result.output
    assert not path.exists()


def test_a_warehouse_without_experiments(project: ProjectMaker, tmp_path: Path) -> None:
    """An empty page says what to do, and an unknown experiment is one sentence."""
    folder = OutputFolder(tmp_path / "out")
    folder.write("notes.txt", "nothing")
    empty = project(folder.path)
    empty.build_only()
    path = tmp_path / "report.html"
    result = command(empty, "-o", str(path))
    assert result.exit_code == 0, result.output
    with opened_page(path) as page:
        assert "run dbt build" in page.locator("main").inner_text()
    path.unlink()
    result = command(empty, "-o", str(path), "--experiment", "no \x1b[31m such")
    assert result.exit_code == 1
    assert "The warehouse holds no experiment" in result.output
    assert not path.exists()
    result = command(empty, "-o", str(tmp_path / "out" / "notes.txt" / "report.html"))
    assert result.exit_code == 1
    assert "cannot be written" in result.output
    assert len(result.output.strip().splitlines()) == 1


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_values)
def test_json_ends_no_script(value: Any) -> None:
    """It is the same value, whatever it holds, and no HTML."""
    text = data.as_json(value)
    assert json.loads(text) == value
    assert not set("<\u2028\u2029") & set(text)


@given(st.integers(1, 5_000))
def test_t_quantile(degrees: int) -> None:
    """It equals another implementation to nine digits."""
    assert t_quantile(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=1e-9)
    assert len(t_quantiles(0)) == 1


def test_t_quantile_needs_a_degree() -> None:
    """Without any there is no distribution."""
    with pytest.raises(ValueError, match="at least 1 degree"):
        t_quantile(0)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Write nothing into the project."""
    monkeypatch.chdir(tmp_path)
    yield
