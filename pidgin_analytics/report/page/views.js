// The pages: overview, experiment, comparison.
"use strict";

const views = (() => {
  const { data, element, named, none, number, money, day, minute, plural, sum, info, address } = report;
  const chosenConversations = () => report.conversations.filter(report.isChosen);
  const chosenCurves = () => report.curves.filter(report.isChosen);
  const empty = () => element("p", { class: "empty" }, "No conversation is like this. ",
    element("a", { href: "#/" }, "Clear the filter"), ".");

  function heading(text, ...more) {
    return element("h1", {}, text, ...more);
  }
  function cards(pairs) {
    return element("dl", { class: "cards" }, pairs.map(([name, value, meaning]) =>
      element("div", {}, element("dt", {}, name, " ", meaning ?? null), element("dd", { "data-card": name }, value))));
  }
  function scores(conversations) {
    return {
      balanced: report.weightedMean(conversations, "mean_convergence_balanced", "balanced_turn_count"),
      recorded: report.weightedMean(conversations, "mean_convergence", "recorded_turn_count"),
      trend: report.meanAndSpread(conversations.map((row) => row.convergence_velocity)).mean,
    };
  }
  function statuses(conversations) {
    return [...report.groupBy(conversations, (row) => row.status)]
      .sort(([, one], [, other]) => other.length - one.length)
      .map(([status, rows]) => `${number(rows.length)} ${status}`).join(", ");
  }
  // A total of parts of which some are unknown says so.
  function cost(conversations) {
    const known = sum(conversations, "cost_usd");
    const unknown = conversations.filter((row) => row.cost_usd === null).length;
    if (known === null) return none;
    return unknown ? [money(known), element("span", { class: "note" }, `without ${plural(unknown, "conversation")} of unknown price`)] : money(known);
  }

  function overview() {
    const conversations = chosenConversations();
    const byExperiment = report.groupBy(conversations, (row) => row.experiment_id);
    const curves = report.groupBy(chosenCurves(), (row) => row.experiment_id);
    const rows = report.experiments.filter((row) => byExperiment.has(row.experiment_id)
      || (!report.isFiltered() && row.conversations === 0)).map((row) => {
      const own = byExperiment.get(row.experiment_id) ?? [];
      return {
        ...row, own, ...scores(own),
        curve: charts.curveRows("convergence_balanced", "", curves.get(row.experiment_id) ?? []),
      };
    });
    const all = scores(conversations);
    return [
      heading("Experiments"),
      data.experiments.count ? null : element("p", { class: "empty" },
        "There is no experiment in this warehouse yet. Set PIDGIN_OUTPUT_DIR to the folder that Pidgin writes to, run dbt build, and write this report again."),
      cards([
        ["Experiments", number(rows.length)],
        ["Conversations", number(conversations.length)],
        ["Complete turns", number(sum(conversations, "turn_count") ?? 0)],
        ["Messages", number(sum(conversations, "message_count") ?? 0)],
        ["Words", number(sum(conversations, "word_count"))],
        ["Prompt tokens", number(sum(conversations, "prompt_tokens"))],
        ["Completion tokens", number(sum(conversations, "completion_tokens"))],
        ["Cost", cost(conversations), info("conversations", "cost_usd", "cost")],
        ["Incidents", number(sum(conversations, "incident_count") ?? 0), info("conversations", "incident_count", "incidents")],
        ["Convergence, balanced", number(all.balanced, 3), info("experiment_dashboard", "avg_convergence_balanced", "convergence")],
      ]),
      rows.length ? report.sortableTable("Experiments", [
        { name: "name", title: "Experiment", value: (row) => row.name ?? row.experiment_id,
          cell: (row) => element("a", { href: address(["experiment", row.experiment_id]) }, named(row.name ?? row.experiment_id)) },
        { name: "models", title: "Models", value: (row) => (row.models ?? []).join(", "), cell: (row) => named((row.models ?? []).join(", ") || none) },
        { name: "created", title: "Begun", value: (row) => row.created_at, cell: (row) => element("span", { class: "moment" }, day(row.created_at)) },
        { name: "conversations", title: "Conversations", isNumber: true, value: (row) => row.own.length,
          cell: (row) => [number(row.own.length), element("span", { class: "note" }, statuses(row.own))] },
        { name: "turns", title: "Turns", isNumber: true, value: (row) => sum(row.own, "turn_count"), cell: (row) => number(sum(row.own, "turn_count") ?? 0) },
        { name: "balanced", title: "Convergence, balanced", isNumber: true, value: (row) => row.balanced, cell: (row) => number(row.balanced, 3),
          info: info("experiment_dashboard", "avg_convergence_balanced", "convergence, balanced") },
        { name: "recorded", title: "As recorded", isNumber: true, value: (row) => row.recorded, cell: (row) => number(row.recorded, 3),
          info: info("experiment_dashboard", "avg_convergence", "convergence as recorded") },
        { name: "trend", title: "Change per turn, within conversations", isNumber: true, value: (row) => row.trend, cell: (row) => number(row.trend, 4),
          info: info("experiment_dashboard", "convergence_trend_within_balanced", "change per turn") },
        { name: "words", title: "Words", isNumber: true, value: (row) => sum(row.own, "word_count"), cell: (row) => number(sum(row.own, "word_count")) },
        { name: "tokens", title: "Completion tokens", isNumber: true, value: (row) => sum(row.own, "completion_tokens"), cell: (row) => number(sum(row.own, "completion_tokens")) },
        { name: "cost", title: "Cost", isNumber: true, value: (row) => sum(row.own, "cost_usd"), cell: (row) => money(sum(row.own, "cost_usd")) },
        { name: "incidents", title: "Incidents", isNumber: true, value: (row) => sum(row.own, "incident_count"), cell: (row) => number(sum(row.own, "incident_count") ?? 0) },
        { name: "curve", title: "Over turns", cell: (row) => charts.sparkline(row.curve) },
      ], rows, { first: "created", descending: true }) : data.experiments.count ? empty() : null,
      quality(conversations),
    ];
  }

  function quality(conversations) {
    const found = data.quality;
    const rejected = report.rowsOf(data.rejected);
    const unfinished = conversations.filter((row) => row.status === "unfinished").length;
    return element("section", { class: "quality", "aria-labelledby": "quality" },
      element("h2", { id: "quality" }, "Data quality"),
      element("p", {}, `Of all logs of this warehouse: ${plural(found.files ?? 0, "file")} with ${plural(found.lines ?? 0, "line")}, of which ${
        plural(found.events ?? 0, "event")}, ${plural(found.duplicates ?? 0, "duplicate")}, ${number(found.rejected ?? 0)} rejected, ${
        number(found.pending ?? 0)} not complete yet and ${number(found.forgotten ?? 0)} forgotten. `, info("event_files", "line_count", "lines")),
      found.files_with_problem ? element("p", { class: "warning" }, `${plural(found.files_with_problem, "file")} could not be read: select source_file, problem from event_files where problem is not null`) : null,
      rejected.length ? element("ul", {}, rejected.map((row) => element("li", {}, `${plural(row.lines, "line")} rejected: `, named(row.reason)))) : null,
      element("p", {}, `Of the conversations shown: ${number(unfinished)} unfinished, ${
        plural(sum(conversations, "placeholder_count") ?? 0, "message")} that are placeholders for failed replies and count in no metric.`),
      data.notes.map((note) => element("p", { class: "warning" }, note)));
  }

  const scoreNames = new Map([["convergence_balanced", "balanced weights"], ["convergence_score", "as recorded live"]]);

  function experiment(id) {
    const found = report.experimentOf.get(id);
    if (!found) return missing(`There is no experiment ${id} in this report.`);
    const inside = (row) => row.experiment_id === id && report.isChosen(row);
    const conversations = report.conversations.filter(inside);
    const parts = report.curves.filter(inside);
    const shown = conversations.filter((row) => report.turns.has(row.conversation_id));
    const all = scores(conversations);
    const score = report.choices.score ?? "convergence_balanced";
    const common = (name) => {
      const values = [...new Set(conversations.map((row) => row[name]))].filter((value) => value !== null);
      return values.length === 0 ? none : values.length <= 3 ? values.join(" / ") : `${values.length} different`;
    };
    const sampled = shown.length < conversations.filter((row) => row.turn_count > 0).length
      ? element("p", { class: "warning" }, `Single conversations are drawn for ${shown.length} of ${conversations.length}; means rest on all of them.`) : null;
    const chooser = element("fieldset", { class: "chooser" }, element("legend", {}, "Score"),
      [...scoreNames].map(([key, name]) => element("label", {},
        element("input", { type: "radio", name: "score", value: key, checked: key === score, onchange: () => { report.choices.score = key; application.show(); } }), ` ${name}`)));
    return [
      element("p", { class: "trail" }, element("a", { href: address([], { experiment: null }) }, "Experiments"), " / ", named(found.name ?? id)),
      heading(named(found.name ?? id)),
      element("dl", { class: "facts" }, [
        ["Id", named(id)], ["Status", found.status ?? none], ["Begun", `${minute(found.created_at)} UTC`], ["Models", named((found.models ?? []).join(", ") || none)],
        ["First prompt", named(common("initial_prompt"))],
        ["Awareness", named(`${common("awareness_a")} and ${common("awareness_b")}`)],
        ["Temperature", `${common("temperature_a")} and ${common("temperature_b")}`],
        ["Most turns", common("max_turns")], ["Ends at convergence", common("convergence_threshold")],
      ].map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)))),
      cards([
        ["Conversations", number(conversations.length)], ["Complete turns", number(sum(conversations, "turn_count") ?? 0)],
        ["Convergence, balanced", number(all.balanced, 3), info("experiment_dashboard", "avg_convergence_balanced", "convergence")],
        ["As recorded", number(all.recorded, 3), info("experiment_dashboard", "avg_convergence", "convergence as recorded")],
        ["Change per turn", number(all.trend, 4), info("experiment_dashboard", "convergence_trend_within_balanced", "change per turn")],
        ["Words", number(sum(conversations, "word_count"))], ["Cost", cost(conversations)],
        ["Incidents", number(sum(conversations, "incident_count") ?? 0)],
      ]),
      conversations.length ? [
        chooser, sampled,
        element("h2", {}, "Convergence"),
        element("div", { class: "charts" },
          charts.curveFigure(score, [{ parts }]),
          charts.startAndEnd(shown, score)),
        charts.smallMultiples(shown, score),
        element("h2", {}, "Patterns and incidents"),
        charts.timeline(shown),
        element("h2", {}, "Language"),
        element("div", { class: "charts" },
          ["vocabulary_overlap", "mimicry", "phrase_alignment", "word_count", "recent_mattr", "symbol_share", "self_repetition"].map((key) => charts.curveFigure(key, [{ parts }])),
          charts.wordSpread(report.words.filter(inside))),
        element("h2", {}, "Tokens, time and cost"),
        element("div", { class: "charts" },
          ["prompt_tokens", "completion_tokens", "response_time"].map((key) => charts.curveFigure(key, [{ parts }])),
          charts.cumulativeCost(conversations)),
        element("h2", {}, "Conversations"),
        conversationTable(conversations),
      ] : empty(),
    ];
  }

  function allConversations() {
    const conversations = chosenConversations();
    return [heading("Conversations"), conversations.length ? conversationTable(conversations, true) : empty()];
  }

  function conversationTable(conversations, isOfAll = false) {
    const experiment = { name: "experiment", title: "Experiment", value: (row) => experimentName(row.experiment_id),
      cell: (row) => element("a", { href: address(["experiment", row.experiment_id]) }, named(experimentName(row.experiment_id))) };
    return report.sortableTable("Conversations", [
      { name: "conversation", title: "Conversation", value: (row) => row.conversation_id,
        cell: (row) => element("a", { href: address(["conversation", row.conversation_id]) }, named(row.conversation_id)) },
      ...(isOfAll ? [experiment] : []),
      { name: "started", title: "Begun", value: (row) => row.started_at, cell: (row) => element("span", { class: "moment" }, minute(row.started_at)) },
      { name: "models", title: "Models", value: report.agentsOf, cell: (row) => element("span", { class: "models" }, named(report.agentsOf(row))) },
      { name: "status", title: "Status", value: (row) => row.status, cell: (row) => [row.status, row.end_reason && row.end_reason !== row.status ? element("span", { class: "note" }, row.end_reason.replaceAll("_", " ")) : null] },
      { name: "turns", title: "Turns", isNumber: true, value: (row) => row.turn_count, cell: (row) => number(row.turn_count) },
      { name: "mean", title: "Convergence, balanced", isNumber: true, value: (row) => row.mean_convergence_balanced, cell: (row) => number(row.mean_convergence_balanced, 3), info: info("conversations", "mean_convergence_balanced", "mean convergence") },
      { name: "final", title: "Of the last turn", isNumber: true, value: (row) => row.final_convergence_balanced, cell: (row) => number(row.final_convergence_balanced, 3), info: info("conversations", "final_convergence_balanced", "convergence of the last turn") },
      { name: "velocity", title: "Change per turn", isNumber: true, value: (row) => row.convergence_velocity, cell: (row) => number(row.convergence_velocity, 4), info: info("conversations", "convergence_velocity", "change per turn") },
      { name: "words", title: "Words", isNumber: true, value: (row) => row.word_count, cell: (row) => number(row.word_count) },
      { name: "incidents", title: "Incidents", isNumber: true, value: (row) => row.incident_count, cell: (row) => number(row.incident_count) },
      { name: "placeholders", title: "Placeholders", isNumber: true, value: (row) => row.placeholder_count, cell: (row) => number(row.placeholder_count), info: info("conversations", "placeholder_count_a", "placeholders") },
      { name: "cost", title: "Cost", isNumber: true, value: (row) => row.cost_usd, cell: (row) => money(row.cost_usd) },
    ], conversations, { first: "started" });
  }

  // The name, with the id where several have the same.
  const ofName = report.groupBy(report.experiments, (row) => row.name ?? row.experiment_id);
  function experimentName(id) {
    const name = report.experimentOf.get(id)?.name ?? id;
    return (ofName.get(name)?.length ?? 0) > 1 ? `${name} (${id})` : name;
  }

  // Comparison: groups of conversations, side by side.
  const groupings = new Map([
    ["experiment", ["experiments", (row) => experimentName(row.experiment_id)]],
    ["pair", ["pairs of models", report.pairOf]],
    ["status", ["how they ended", (row) => row.status]],
  ]);
  const measures = new Map([
    ["mean_convergence_balanced", "Mean convergence, balanced"],
    ["final_convergence_balanced", "Convergence of the last turn, balanced"],
    ["convergence_velocity", "Change of convergence per turn"],
    ["mean_convergence", "Mean convergence, as recorded"],
    ["turn_count", "Complete turns"],
    ["word_count", "Words"],
    ["cost_usd", "Cost in US dollars"],
  ]);
  const mostGroups = 6;

  // What is compared stands in the address, so that a link shows the same.
  function keep(changes) {
    history.replaceState(null, "", address(["compare"], changes));
    report.readAddress();
    application.show();
  }
  function wantedGroups() {
    try {
      const names = JSON.parse(report.filter.groups ?? "[]");
      return Array.isArray(names) ? names.slice(0, mostGroups) : [];
    } catch {
      return [];
    }
  }
  // What else differs between groups may be what makes the difference.
  function unlike(groups) {
    const names = [["initial_prompt", "first prompts"], ["max_turns", "the number of turns allowed"], ["awareness_a", "awareness of A"],
      ["awareness_b", "awareness of B"], ["temperature_a", "temperatures of A"], ["temperature_b", "temperatures of B"]];
    const values = (rows, name) => JSON.stringify([...new Set(rows.map((row) => row[name]))].map(String).sort());
    return names.filter(([name]) => new Set(groups.map(([, rows]) => values(rows, name))).size > 1).map(([, text]) => text);
  }

  function comparison() {
    const by = groupings.has(report.filter.by) ? report.filter.by : "experiment";
    const metric = charts.metricOf.has(report.filter.metric) ? report.filter.metric : "convergence_balanced";
    const measure = measures.has(report.filter.measure) ? report.filter.measure : "mean_convergence_balanced";
    const nameOf = groupings.get(by)[1];
    const groups = [...report.groupBy(chosenConversations(), nameOf)].sort(([, one], [, other]) => other.length - one.length);
    const chosen = wantedGroups().filter((name) => groups.some(([other]) => other === name));
    const shown = chosen.length ? groups.filter(([name]) => chosen.includes(name)) : groups.slice(0, 3);
    const curves = report.groupBy(chosenCurves(), nameOf);
    const choose = (name, options, value) => element("label", {}, `${name} `, element("select", {
      onchange: ({ target }) => keep({ [target.name]: target.value, ...(target.name === "by" ? { groups: "" } : {}) }),
      name: { Groups: "by", Curve: "metric", Measure: "measure" }[name],
    }, options.map(([key, title]) => element("option", { value: key, selected: key === value }, title))));
    const statistics = shown.map(([name, rows]) => ({ name, ...report.meanAndSpread(rows.map((row) => row[measure])) }));
    const first = statistics[0];
    const digits = ["turn_count", "word_count"].includes(measure) ? 1 : 4;
    return [
      heading("Comparison"),
      element("p", {}, "The conversation is the unit: turns of one conversation depend on each other. Intervals are of 95 %, by Student's t over conversations."),
      element("div", { class: "chooser" },
        choose("Groups", [...groupings].map(([key, [title]]) => [key, title]), by),
        choose("Curve", data.metrics.map((one) => [one.key, one.title]), metric),
        choose("Measure", [...measures], measure)),
      groups.length ? [
        element("fieldset", { class: "chooser" }, element("legend", {}, `Which ones (at most ${mostGroups})`),
          groups.slice(0, 60).map(([name, rows]) => element("label", {}, element("input", {
            type: "checkbox", name: "group", value: name, checked: shown.some(([other]) => other === name),
            disabled: shown.length >= mostGroups && !shown.some(([other]) => other === name),
            onchange: () => keep({ groups: JSON.stringify([...document.querySelectorAll("input[name=group]:checked")].map((input) => input.value)) }),
          }), " ", named(name), ` (${number(rows.length)})`)),
          groups.length > 60 ? element("p", { class: "note" }, `The 60 largest of ${number(groups.length)}; the filter finds others.`) : null),
        charts.metricOf.get(metric).series.length > 1
          ? charts.metricOf.get(metric).series.map((series, index) => charts.curveFigure(metric,
            shown.map(([name]) => ({ label: name, parts: curves.get(name) ?? [] })), { only: index }))
          : charts.curveFigure(metric, shown.map(([name]) => ({ label: name, parts: curves.get(name) ?? [] }))),
        element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Differences" },
          element("table", { class: "rows differences" },
            element("caption", {}, `${measures.get(measure)}, by `, groupings.get(by)[0], " ", info("conversations", measure, measures.get(measure))),
            element("thead", {}, element("tr", {}, ["Group", "Conversations", "Mean", "Interval", "Difference from the first", "Interval of the difference"].map((title, index) =>
              element("th", { scope: "col", class: index ? "number" : null }, title)))),
            element("tbody", {}, statistics.map((row) => {
              const half = report.margin(row);
              const change = row === first ? null : difference(row, first);
              return element("tr", {}, element("th", { scope: "row", "data-label": "Group" }, named(row.name)),
                [["Conversations", number(row.count)], ["Mean", number(row.mean, digits)],
                  ["Interval", half === null ? none : `${number(row.mean - half, digits)} to ${number(row.mean + half, digits)}`],
                  ["Difference from the first", change ? number(change.mean, digits) : none],
                  ["Interval of the difference", change && change.half !== null ? `${number(change.mean - change.half, digits)} to ${number(change.mean + change.half, digits)}` : none],
                ].map(([title, value]) => element("td", { class: "number", "data-label": title }, value)));
            })))),
        unlike(shown).length ? element("p", { class: "warning" }, `These groups also differ in ${unlike(shown).join(", ")}; a difference may come from that.`) : null,
        element("p", { class: "note" }, "Only conversations with a value count. Intervals of differences by Welch's method for unequal variances, not corrected for the number of comparisons."),
      ] : empty(),
    ];
  }

  // Welch (1947): the degrees of freedom, rounded down, follow from both spreads.
  function difference(one, other) {
    if (one.mean === null || other.mean === null) return null;
    const mean = one.mean - other.mean;
    if (one.count < 2 || other.count < 2) return { mean, half: null };
    const [a, b] = [one, other].map((row) => row.squares / (row.count - 1) / row.count);
    if (a + b === 0) return { mean, half: 0 };
    const degrees = (a + b) ** 2 / (a ** 2 / (one.count - 1) + b ** 2 / (other.count - 1));
    return { mean, half: report.tQuantile(Math.max(1, Math.floor(degrees + 1e-9))) * Math.sqrt(a + b) };
  }

  function missing(text) {
    return [heading("Not here"), element("p", { class: "empty" }, report.visible(text), " ", element("a", { href: "#/" }, "All experiments"))];
  }

  return { overview, allConversations, experiment, comparison, missing, heading, cards };
})();
