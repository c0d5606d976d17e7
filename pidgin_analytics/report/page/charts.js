// Charts: what is drawn, from rows that the views choose.
"use strict";

const charts = (() => {
  const { data, element, info, number } = report;
  const metricOf = new Map(data.metrics.map((metric) => [metric.key, metric]));
  const dashes = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3]];

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const seriesColors = () => Array.from({ length: 8 }, (_, index) => color(`series-${index + 1}`));

  function config() {
    const text = color("text");
    const line = color("line");
    return {
      background: null,
      font: "system-ui, sans-serif",
      view: { stroke: null },
      axis: {
        labelColor: text, titleColor: text, gridColor: line, domainColor: line, tickColor: line,
        labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", gridOpacity: 0.6,
      },
      legend: { labelColor: text, titleColor: text, labelFontSize: 12, symbolStrokeWidth: 2, labelLimit: 320 },
      header: { labelColor: text, titleColor: text, labelFontSize: 11, labelLimit: 150 },
      title: { color: text },
      text: { color: text },
    };
  }

  // Charts are drawn when they come near the window, and again in another scheme.
  const drawn = new Map();
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) {
        watcher.unobserve(entry.target);
        draw(entry.target);
      }
    }
  }, { rootMargin: "400px" });

  async function draw(place) {
    const chart = drawn.get(place);
    if (!chart) return;
    const width = Math.max(200, place.clientWidth);
    chart.view?.finalize();
    chart.view = await vegaEmbed(place, { ...chart.spec(width), config: config() }, {
      mode: "vega-lite", renderer: "svg", actions: false, defaultStyle: false, hover: false, tooltip,
    });
    // The place says in words what is drawn; its numbers are in a table below.
    for (const part of place.querySelectorAll("[role], [aria-label]")) {
      for (const name of ["role", "aria-label", "aria-roledescription"]) part.removeAttribute(name);
    }
    place.dataset.drawn = "yes";
  }
  function redraw() {
    for (const [place] of drawn) if (place.dataset.drawn) draw(place);
  }
  function forget() {
    for (const [place, chart] of drawn) {
      watcher.unobserve(place);
      chart.view?.finalize();
    }
    drawn.clear();
  }

  // Text of a tooltip is text.
  const tip = element("div", { id: "tip", hidden: true });
  document.body.append(tip);
  function tooltip(_handler, event, _item, value) {
    if (!value) {
      tip.hidden = true;
      return;
    }
    tip.replaceChildren(...(typeof value === "object"
      ? Object.entries(value).map(([name, one]) => element("div", {}, `${name}: ${one}`))
      : [String(value)]));
    tip.hidden = false;
    tip.style.left = `${Math.min(event.pageX + 12, scrollX + innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${event.pageY + 12}px`;
  }

  // A chart with its title, the meaning of its columns, and its numbers.
  function figure({ key, title, unit, note, infos = [], rows, columns, spec, label }) {
    const place = element("div", { class: "chart", role: "img", "aria-label": label ?? title });
    const numbers = element("details", { class: "numbers" }, element("summary", {}, "Numbers"));
    numbers.addEventListener("toggle", () => {
      if (!numbers.open || numbers.childElementCount > 1) return;
      const atMost = 500;
      numbers.append(element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Numbers of ${title}` },
        element("table", {}, element("thead", {}, element("tr", {}, columns.map(([name]) => element("th", { scope: "col" }, name)))),
          element("tbody", {}, rows.slice(0, atMost).map((row) => element("tr", {},
            columns.map(([, cell]) => element("td", {}, String(cell(row))))))))),
      rows.length > atMost ? element("p", {}, `The first ${number(atMost)} of ${number(rows.length)}.`) : "");
    });
    const made = element("figure", { "data-chart": key, "data-rows": String(rows.length) },
      element("figcaption", {}, element("strong", {}, title), unit ? `, ${unit}` : "", " ", infos,
        note ? element("span", { class: "note" }, note) : null),
      rows.length ? [place, numbers] : element("p", { class: "empty" }, "There are no values here; the question mark explains when a value is NULL."));
    if (rows.length) {
      drawn.set(place, { spec });
      watcher.observe(place);
    }
    return made;
  }

  // Means over conversations, turn by turn, of any parts: [{label, rows of curves}].
  function curveRows(series, label, parts) {
    const byTurn = report.groupBy(parts, (row) => row.turn_number);
    return [...byTurn].sort(([one], [other]) => one - other).map(([turn, rows]) => {
      const all = report.pooled(rows.map((row) => ({
        count: row[`${series}__count`], mean: row[`${series}__mean`], squares: row[`${series}__squares`],
      })));
      const half = report.margin(all);
      return {
        line: label, turn, mean: all.mean, conversations: all.count,
        low: half === null ? null : all.mean - half, high: half === null ? null : all.mean + half,
      };
    }).filter((row) => row.mean !== null);
  }

  const legend = (lines) => (lines.length > 1
    ? { orient: "top", direction: "vertical", symbolType: "stroke", symbolOpacity: 1, symbolSize: 250 } : null);

  function curveFigure(key, groups, { only } = {}) {
    const metric = metricOf.get(key);
    const chosen = metric.series.map((series, index) => ({ series, name: metric.labels[index] }))
      .filter((_, index) => only === undefined || index === only);
    const rows = groups.flatMap(({ label, parts }) =>
      chosen.flatMap(({ series, name }) => curveRows(series, label ?? name, parts)));
    const title = only === undefined ? metric.title : `${metric.title}, ${chosen[0].name}`;
    const lines = [...new Set(rows.map((row) => row.line))];
    const most = Math.max(0, ...rows.map((row) => row.high ?? row.mean));
    // Shares on one scale, unless all of them are small.
    const isShare = metric.unit.includes("from 0 to 1") && most > 0.4;
    const counts = rows.map((row) => row.conversations);
    const isBeyond = isShare && rows.some((row) => row.low < 0 || row.high > 1);
    const reached = counts.length ? ` Each point rests on ${Math.min(...counts) === Math.max(...counts) ? "" : `${number(Math.min(...counts))} to `}${report.plural(Math.max(...counts), "conversation")}.` : "";
    const isOfAgents = chosen.length > 1;
    const scale = () => ({ domain: lines, range: isOfAgents ? ["agent-a", "agent-b"].map(color) : lines.map((_, index) => seriesColors()[index % 8]) });
    const y = { type: "quantitative", title: null, scale: isShare ? { domain: [0, 1] } : { domain: [0, most || 1], nice: true } };
    // In print without colour, lines differ by their dashes.
    const dash = lines.length < 2 ? {} : { strokeDash: {
      field: "line", type: "nominal", scale: { domain: lines, range: lines.map((_, index) => dashes[index % 4]) }, title: null,
      legend: legend(lines) } };
    return figure({
      key, title, unit: metric.unit, rows,
      infos: metric.columns.filter((_, index) => only === undefined || index === only).map((column) => info("turns", column, column)),
      note: `Mean over the conversations that reach the turn, with its interval of 95 %.${reached}${isBeyond ? " Intervals of few conversations reach beyond 0 or 1, where they are cut off." : ""}`,
      label: `${title} over turns: ${lines.join(", ")}`,
      columns: [
        ["line", (row) => row.line], ["turn", (row) => row.turn], ["mean", (row) => number(row.mean, 4)],
        ["low", (row) => number(row.low, 4)], ["high", (row) => number(row.high, 4)],
        ["conversations", (row) => row.conversations],
      ],
      spec: (width) => ({
        width, height: 220, autosize: { type: "fit-x", contains: "padding" },
        data: { values: rows },
        encoding: {
          x: { field: "turn", type: "quantitative", title: "turn, from 0", axis: { tickMinStep: 1, format: "d" }, scale: { nice: false } },
          color: {
            field: "line", type: "nominal", scale: scale(), title: null,
            legend: legend(lines),
          },
        },
        layer: [
          { mark: { type: "area", opacity: 0.18, clip: true }, encoding: { y: { ...y, field: "low" }, y2: { field: "high" } } },
          { mark: { type: "line", strokeWidth: 2 }, encoding: { y: { ...y, field: "mean" }, ...dash } },
          { mark: { type: "point", filled: true, size: 26, opacity: 1 },
            encoding: { y: { ...y, field: "mean" }, tooltip: [
              { field: "line", title: "line" }, { field: "turn" }, { field: "mean", format: ".3f" },
              { field: "low", title: "from", format: ".3f" }, { field: "high", title: "to", format: ".3f" },
              { field: "conversations" }] } },
        ],
      }),
    });
  }

  // One small chart for each conversation: its scores, and their rolling mean.
  function smallMultiples(conversations, score) {
    const rolling = score === "convergence_score" ? "rolling_avg_5" : "balanced_rolling_avg_5";
    const rows = conversations.flatMap((conversation) => (report.turns.get(conversation.conversation_id) ?? [])
      .filter((turn) => turn.is_spoken)
      .map((turn) => ({ conversation: conversation.conversation_id, turn: turn.turn_number, score: turn[score], rolling: turn[rolling] })));
    return figure({
      key: "small_multiples", title: "Convergence of each conversation", unit: "score from 0 to 1", rows,
      note: "Points are turns, the line is their rolling mean over five.",
      infos: [info("turns", score, score), info("turns", rolling, rolling)],
      columns: [["conversation", (row) => row.conversation], ["turn", (row) => row.turn],
        ["score", (row) => number(row.score, 3)], ["rolling mean", (row) => number(row.rolling, 3)]],
      spec: (width) => {
        const columns = Math.max(1, Math.min(6, Math.floor(width / 165)));
        return {
          data: { values: rows },
          facet: { field: "conversation", type: "nominal", title: null, header: { labelExpr: "slice(datum.label, 0, 22)" } },
          columns, spacing: 12,
          spec: {
            width: Math.floor(width / columns) - 50, height: 80,
            encoding: { x: { field: "turn", type: "quantitative", title: null, axis: { tickMinStep: 1, format: "d", tickCount: 4 } } },
            layer: [
              { mark: { type: "point", filled: true, size: 16, color: color("quiet-text"), opacity: 0.9 },
                encoding: { y: { field: "score", type: "quantitative", title: null, scale: { domain: [0, 1] }, axis: { tickCount: 3 } },
                  tooltip: [{ field: "conversation" }, { field: "turn" }, { field: "score", format: ".3f" }] } },
              { mark: { type: "line", color: color("series-1"), strokeWidth: 2 },
                encoding: { y: { field: "rolling", type: "quantitative" } } },
            ],
          },
        };
      },
    });
  }

  // Scores of first and last turns, a line for each conversation.
  function startAndEnd(conversations, score) {
    const rows = conversations.flatMap((conversation) => {
      const scored = (report.turns.get(conversation.conversation_id) ?? []).filter((turn) => turn.is_spoken && turn[score] !== null);
      return scored.length < 2 ? [] : [["first turn", scored[0]], ["last turn", scored.at(-1)]].map(([when, turn]) => ({
        conversation: conversation.conversation_id, when, turn: turn.turn_number, score: turn[score],
      }));
    });
    return figure({
      key: "start_and_end", title: "Convergence at the start and at the end", unit: "score from 0 to 1", rows,
      note: "A line is a conversation of at least two scored turns; bars are medians.",
      infos: [info("turns", score, score)],
      columns: [["conversation", (row) => row.conversation], ["when", (row) => row.when], ["turn", (row) => row.turn], ["score", (row) => number(row.score, 3)]],
      spec: (width) => ({
        width: Math.min(480, width), height: 220, autosize: { type: "fit-x", contains: "padding" },
        data: { values: rows },
        encoding: {
          x: { field: "when", type: "nominal", title: null, axis: { labelAngle: 0 }, scale: { type: "point", padding: 0.5 } },
          y: { field: "score", type: "quantitative", title: null, scale: { domain: [0, 1] } },
        },
        layer: [
          { mark: { type: "line", color: color("series-1"), opacity: 0.45 }, encoding: { detail: { field: "conversation" } } },
          { mark: { type: "point", filled: true, size: 26, color: color("series-1"), opacity: 1 },
            encoding: { tooltip: [{ field: "conversation" }, { field: "turn" }, { field: "score", format: ".3f" }] } },
          { mark: { type: "tick", thickness: 3, size: 50, color: color("text"), orient: "horizontal" }, encoding: { y: { aggregate: "median", field: "score" } } },
        ],
      }),
    });
  }

  // When patterns begin and what went wrong, conversation by conversation.
  function timeline(conversations) {
    const names = new Map(data.patterns);
    const events = conversations.flatMap((conversation) => [
      ...data.patterns.filter(([column]) => conversation[column] !== null).map(([column, name]) => ({
        conversation: conversation.conversation_id, turn: conversation[column], what: name, kind: "pattern",
      })),
      ...(report.incidents.get(conversation.conversation_id) ?? []).filter((row) => row.turn_number !== null).map((row) => ({
        conversation: conversation.conversation_id, turn: row.turn_number, what: row.incident_type.replaceAll("_", " "), kind: "incident",
      })),
    ]);
    const present = [...new Set(events.map((row) => row.what))].sort((one, other) =>
      Number([...names.values()].includes(other)) - Number([...names.values()].includes(one)));
    const together = report.groupBy(events, (row) => JSON.stringify([row.conversation, row.turn]));
    for (const rows of together.values()) {
      rows.forEach((row, index) => { row.place = rows.length === 1 ? 0 : (2 * index) / (rows.length - 1) - 1; });
    }
    const shapes = ["circle", "square", "diamond", "triangle-up", "triangle-down", "triangle-right", "triangle-left", "cross", "stroke", "wedge"];
    const lengths = conversations.filter((row) => row.turn_count > 0)
      .map((row) => ({ conversation: row.conversation_id, turn: 0, last: row.turn_count - 1 }));
    return figure({
      key: "timeline", title: "Patterns and incidents over turns", unit: "turn", rows: events,
      note: "A grey bar is a conversation. A mark is the turn in which a pattern begins or an incident happens.",
      infos: data.patterns.filter(([, name]) => present.includes(name)).map(([column, name]) => info("conversations", column, name)),
      columns: [["conversation", (row) => row.conversation], ["turn", (row) => row.turn], ["what", (row) => row.what], ["kind", (row) => row.kind]],
      spec: (width) => ({
        width, height: 24 * lengths.length + 20, autosize: { type: "fit-x", contains: "padding" },
        encoding: { y: { field: "conversation", type: "nominal", title: null, sort: lengths.map((row) => row.conversation), axis: { labelLimit: 110 } } },
        layer: [
          { data: { values: lengths }, mark: { type: "bar", height: 4, color: color("line") },
            encoding: { x: { field: "turn", type: "quantitative", title: "turn, from 0", axis: { tickMinStep: 1, format: "d" }, scale: { nice: false } }, x2: { field: "last" } } },
          { data: { values: events }, mark: { type: "point", filled: true, size: 70, opacity: 1 },
            encoding: {
              // Two in one turn stand beside each other.
              yOffset: { field: "place", type: "quantitative", scale: { domain: [-1, 1], range: [4, 20] } },
              x: { field: "turn", type: "quantitative" },
              color: { field: "what", type: "nominal", scale: { domain: present, range: present.map((_, index) => seriesColors()[index % 8]) }, title: null,
                legend: { orient: "top", columns: Math.max(1, Math.floor(width / 210)) } },
              shape: { field: "what", type: "nominal", scale: { domain: present, range: present.map((_, index) => shapes[index % 10]) } },
              tooltip: [{ field: "what" }, { field: "turn" }, { field: "conversation" }],
            } },
        ],
      }),
    });
  }

  // Without values, labels of a short axis come twice: those of halves are rounded.
  function wholeNumbers(first, last) {
    const values = Array.from({ length: Math.max(last - first + 1, 0) }, (_, index) => first + index);
    return { format: "d", ...(values.length > 10 ? { tickCount: 10, tickMinStep: 1 } : { values }) };
  }

  // Cost as conversations were run, one after the other.
  function cumulativeCost(conversations) {
    let total = 0;
    const rows = [...conversations].filter((row) => row.cost_usd !== null && row.started_at !== null)
      .sort((one, other) => one.started_at.localeCompare(other.started_at))
      .map((row, index) => {
        total += row.cost_usd;
        return { order: index + 1, conversation: row.conversation_id, cost: row.cost_usd, total };
      });
    return figure({
      key: "cost", title: "Cost, conversation by conversation", unit: "US dollars by list prices", rows,
      note: "The line is the sum so far, in the order of starts; conversations without a known price are left out.",
      infos: [info("conversations", "cost_usd", "cost_usd")],
      columns: [["conversation", (row) => row.conversation], ["cost", (row) => number(row.cost, 6)], ["sum so far", (row) => number(row.total, 6)]],
      spec: (width) => ({
        width, height: 180, autosize: { type: "fit-x", contains: "padding" },
        data: { values: rows },
        encoding: { x: { field: "order", type: "quantitative", title: "conversation", axis: wholeNumbers(1, rows.length), scale: { nice: false } } },
        layer: [
          { mark: { type: "line", interpolate: "step-after", color: color("series-1") }, encoding: { y: { field: "total", type: "quantitative", title: null } } },
          { mark: { type: "point", filled: true, color: color("series-1"), size: 26, opacity: 1 },
            encoding: { y: { field: "total", type: "quantitative" }, tooltip: [{ field: "conversation" }, { field: "cost", format: ".4f" }, { field: "total", format: ".4f" }] } },
        ],
      }),
    });
  }

  // The words that most conversations took over, by direction.
  const mostWords = 25;
  function wordSpread(parts) {
    const byWord = report.groupBy(parts, (row) => row.word);
    const counted = [...byWord].map(([word, rows]) => ({ word, a: report.sum(rows, "a_to_b"), b: report.sum(rows, "b_to_a") }))
      .sort((one, other) => other.a + other.b - one.a - one.b || one.word.localeCompare(other.word));
    const all = counted.slice(0, mostWords);
    const next = counted[mostWords];
    const isCut = next && next.a + next.b === all.at(-1).a + all.at(-1).b;
    const rows = all.flatMap(({ word, a, b }) => [
      { word, direction: "A to B", conversations: a }, { word, direction: "B to A", conversations: b },
    ]).filter((row) => row.conversations > 0);
    return figure({
      key: "words", title: "Words that spread", unit: "conversations", rows,
      note: `Words that one agent used first and the other later, without the commonest ones: the ${mostWords} that were adopted in most conversations.${isCut ? " Other words were adopted in as many as the last of these." : ""}`,
      columns: [["word", (row) => row.word], ["direction", (row) => row.direction], ["conversations", (row) => row.conversations]],
      spec: (width) => ({
        width, height: 18 * all.length, autosize: { type: "fit-x", contains: "padding" },
        data: { values: rows },
        mark: { type: "bar" },
        encoding: {
          y: { field: "word", type: "nominal", title: null, sort: all.map((row) => row.word), axis: { labelLimit: 120 } },
          x: { field: "conversations", type: "quantitative", title: "conversations", axis: wholeNumbers(0, Math.max(...all.map((row) => row.a + row.b))) },
          color: { field: "direction", type: "nominal", title: null, scale: { domain: ["A to B", "B to A"], range: [color("agent-a"), color("agent-b")] }, legend: { orient: "top" } },
          tooltip: [{ field: "word" }, { field: "direction" }, { field: "conversations" }],
        },
      }),
    });
  }

  // A curve beside a number, drawn by hand: a thousand of them may stand in a table.
  function sparkline(rows) {
    const width = 110;
    const height = 26;
    if (!rows.length) return report.none;
    const last = Math.max(1, rows.at(-1).turn);
    const points = rows.map((row) => `${(2 + row.turn / last * (width - 4)).toFixed(1)},${(height - 2 - row.mean * (height - 4)).toFixed(1)}`);
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("class", "spark");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `from ${number(rows[0].mean, 2)} to ${number(rows.at(-1).mean, 2)}`);
    const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
    line.setAttribute("points", points.length > 1 ? points.join(" ") : `${points[0]} ${points[0]}`);
    svg.append(line);
    return svg;
  }

  return { metricOf, curveRows, curveFigure, smallMultiples, startAndEnd, timeline, cumulativeCost, wordSpread, sparkline, redraw, forget };
})();
