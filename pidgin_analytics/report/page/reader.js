// The conversation reader: what was said, with what was measured beside it.
"use strict";

const reader = (() => {
  const { data, element, named, none, number, minute, visible, info, address } = report;
  const given = window.pidginTranscripts ?? {};
  const wordPattern = /[\p{L}\p{M}\p{N}]+(?:['’_-][\p{L}\p{M}\p{N}]+)*/gu;

  // Texts are in the page, or in a file for each conversation beside it.
  function load(id) {
    const inside = document.getElementById("transcripts");
    if (inside && !load.inside) load.inside = JSON.parse(inside.textContent);
    if (load.inside) return Promise.resolve(load.inside[id] ?? null);
    const file = data.transcripts.files?.[id];
    if (!file) return Promise.resolve(null);
    if (given[id]) return Promise.resolve(given[id]);
    return new Promise((resolve, reject) => {
      const script = element("script", { src: `${encodeURIComponent(data.transcripts.folder)}/${encodeURIComponent(file)}`,
        nonce: document.querySelector("script[nonce]").nonce });
      script.addEventListener("load", () => resolve(given[id] ?? null));
      script.addEventListener("error", () => reject(new Error(file)));
      document.head.append(script);
    });
  }
  window.pidginTranscripts = given;

  // Text in pieces: words that spread and what is looked for are marked, nothing else changes.
  function marked(text, { kindOf, wanted }) {
    const shown = visible(text);
    const marks = [];
    if (wanted) {
      const [low, sought] = [shown.toLowerCase(), wanted.toLowerCase()];
      // Letters whose lower case is longer would shift what follows.
      if (low.length === shown.length) {
        for (let at = low.indexOf(sought); at >= 0; at = low.indexOf(sought, at + sought.length)) marks.push([at, at + sought.length, "found", null]);
      }
    }
    if (kindOf) {
      for (const match of shown.matchAll(wordPattern)) {
        const kind = kindOf(match[0].toLowerCase());
        const [from, to] = [match.index, match.index + match[0].length];
        if (kind && !marks.some(([start, end]) => from < end && start < to)) marks.push([from, to, kind.name, kind.title]);
      }
    }
    marks.sort(([one], [other]) => one - other);
    const pieces = [];
    let at = 0;
    for (const [from, to, name, title] of marks) {
      pieces.push(shown.slice(at, from), element("mark", { class: name, title }, shown.slice(from, to)));
      at = to;
    }
    return [...pieces, shown.slice(at)];
  }

  async function show(main, id, wantedTurn) {
    const conversation = report.conversationOf.get(id);
    if (!conversation) {
      main.replaceChildren(...views.missing(`There is no conversation ${id} in this report.`));
      return;
    }
    const experiment = report.experimentOf.get(conversation.experiment_id);
    const siblings = report.conversations.filter((row) => row.experiment_id === conversation.experiment_id && report.isChosen(row));
    const position = siblings.indexOf(conversation);
    const neighbour = (step, name, key) => {
      const other = position >= 0 ? siblings[position + step] : null;
      return other ? element("a", { href: address(["conversation", other.conversation_id]), id: `conversation-${name}`, "aria-keyshortcuts": key }, `${name} conversation`) : null;
    };
    const onsets = data.patterns.filter(([column]) => conversation[column] !== null);
    const head = [
      element("p", { class: "trail" }, element("a", { href: address([]) }, "Experiments"), " / ",
        element("a", { href: address(["experiment", conversation.experiment_id]) }, named(experiment?.name ?? conversation.experiment_id)), " / ", named(id)),
      views.heading(named(id)),
      element("dl", { class: "facts" }, [
        ["A", element("span", { class: "of-a" }, named(conversation.agent_a_model ?? none))],
        ["B", element("span", { class: "of-b" }, named(conversation.agent_b_model ?? none))],
        ["Status", [conversation.status, conversation.end_reason ? `, ${conversation.end_reason.replaceAll("_", " ")}` : ""]],
        ["Begun", `${minute(conversation.started_at)} UTC`],
        ["Complete turns", number(conversation.turn_count)],
        ["Convergence, balanced", [number(conversation.mean_convergence_balanced, 3), " ", info("conversations", "mean_convergence_balanced", "mean convergence")]],
        ["Change per turn", number(conversation.convergence_velocity, 4)],
        ["First prompt", named(conversation.initial_prompt ?? none)],
        ["Patterns", onsets.length ? onsets.map(([column, name], index) => [index ? ", " : "",
          element("a", { href: address(["conversation", id, "turn", String(conversation[column])]) }, `${name} from turn ${conversation[column]}`), " ", info("conversations", column, name)]) : "none found"],
      ].map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)))),
      element("p", { class: "neighbours" }, neighbour(-1, "previous", "["), " ", neighbour(1, "next", "]")),
    ];
    main.replaceChildren(...head, element("p", { class: "empty" }, "Loading…"));
    let transcript = null;
    try {
      transcript = await load(id);
    } catch (error) {
      main.replaceChildren(...head, element("p", { class: "empty" }, `The file with its text, ${visible(data.transcripts.folder)}/${visible(error.message)}, is not beside this page. Keep both together, or write the report again.`));
      return;
    }
    if (!transcript) {
      main.replaceChildren(...head, element("p", { class: "empty" }, "This report was written without transcripts. To include them, write it without --no-transcripts."));
      return;
    }
    draw(main, head, conversation, transcript, wantedTurn);
  }

  function draw(main, head, conversation, transcript, wantedTurn) {
    const id = conversation.conversation_id;
    const messages = report.rowsOf(transcript.messages);
    const turns = new Map(report.rowsOf(transcript.turns).map((row) => [row.turn_number, row]));
    const incidents = report.groupBy(report.rowsOf(transcript.incidents), (row) => row.turn_number);
    const adoptions = report.rowsOf(transcript.adoptions);
    const adoptionOf = new Map(adoptions.map((row) => [row.word, row]));
    const numbers = [...new Set([...messages.map((row) => row.turn_number), ...turns.keys(), ...incidents.keys()])]
      .sort((one, other) => (one ?? -1) - (other ?? -1));
    const byTurn = report.groupBy(messages, (row) => row.turn_number);
    const texts = [];

    // What a word is in a message: taken over here, or shared since.
    function kindIn(message) {
      return (word) => {
        const adoption = adoptionOf.get(word);
        if (!adoption) return null;
        const origin = adoption.origin_agent_id === "agent_a" ? "A" : "B";
        if (message.agent_id !== adoption.origin_agent_id && message.turn_number === adoption.adopted_turn) {
          return { name: "adopted", title: `taken over here; ${origin} said it first in turn ${adoption.origin_turn}` };
        }
        if (message.turn_number > adoption.adopted_turn) return { name: "shared", title: `shared since turn ${adoption.adopted_turn}; ${origin} said it first` };
        return null;
      };
    }
    function fill(wanted) {
      let found = 0;
      for (const { place, text, kindOf } of texts) {
        const pieces = marked(text, { kindOf, wanted });
        found += pieces.filter((piece) => piece instanceof Element && piece.className === "found").length;
        place.replaceChildren(...pieces);
        if (wanted && place.closest("details") && place.querySelector(".found")) place.closest("details").open = true;
      }
      return found;
    }
    function textOf(text, kindOf) {
      const place = element("div", { class: "text", dir: "auto" });
      texts.push({ place, text, kindOf });
      return place;
    }
    function message(row) {
      const agent = row.agent_id === "agent_a" ? "A" : "B";
      const model = agent === "A" ? conversation.agent_a_model : conversation.agent_b_model;
      const adopted = adoptions.filter((one) => one.adopted_turn === row.turn_number && one.origin_agent_id !== row.agent_id).map((one) => one.word);
      return element("article", { class: `message of-${agent.toLowerCase()}`, "aria-label": `${agent}, turn ${row.turn_number}` },
        element("header", {}, element("strong", {}, agent), " ", named(model ?? none),
          row.is_api_error ? element("span", { class: "flag" }, "placeholder of a failed reply") : null,
          row.is_turn_complete ? null : element("span", { class: "flag" }, "turn not complete")),
        row.thinking_content ? element("details", { class: "thinking" }, element("summary", {}, "Thinking"), textOf(row.thinking_content, null)) : null,
        textOf(row.content ?? "", row.is_api_error ? null : kindIn(row)),
        element("footer", {}, [
          row.word_count === null ? null : `${number(row.word_count)} words`,
          row.mattr === null ? null : `MATTR ${number(row.mattr, 2)}`,
          row.symbol_share ? `symbols ${number(row.symbol_share, 2)}` : null,
          row.response_time_ms === null ? null : `${number(row.response_time_ms / 1000, 1)} s`,
          row.completion_tokens === null ? null : `${number(row.completion_tokens)} tokens`,
        ].filter(Boolean).join(" · "),
        adopted.length ? element("p", { class: "note" }, "Taken over: ", named(adopted.slice(0, 30).join(", ")), adopted.length > 30 ? ` and ${adopted.length - 30} more` : "") : null));
    }
    function turnBlock(turn) {
      const scores = turns.get(turn);
      const began = data.patterns.filter(([column]) => turn !== null && conversation[column] === turn);
      return element("section", { class: "turn", id: turn === null ? "outside" : `turn-${turn}`, tabindex: "-1", "aria-label": turn === null ? "Outside turns" : `Turn ${turn}` },
        element("aside", {},
          element("h2", {}, turn === null ? "Outside turns" : element("a", { href: address(["conversation", id, "turn", String(turn)]) }, `Turn ${turn}`)),
          scores ? element("dl", {}, [
            ["balanced", scores.convergence_balanced, "convergence_balanced"], ["recorded", scores.convergence_score, "convergence_score"],
            ["mean of five", scores.balanced_rolling_avg_5, "balanced_rolling_avg_5"], ["overlap", scores.vocabulary_overlap, "vocabulary_overlap"],
          ].map(([name, value, column]) => element("div", {}, element("dt", {}, name, " ", info("turns", column, name)), element("dd", {}, number(value, 3))))) : null,
          scores && !scores.is_spoken ? element("p", { class: "flag" }, "not spoken: holds a placeholder") : null,
          began.map(([, name]) => element("p", { class: "flag" }, name)),
          (incidents.get(turn) ?? []).map((row) => element("p", { class: "incident" }, row.incident_type.replaceAll("_", " "),
            row.agent_id ? ` (${row.agent_id === "agent_a" ? "A" : "B"})` : "", row.detail ? [": ", named(row.detail.slice(0, 300))] : ""))),
        element("div", { class: "voices" }, (byTurn.get(turn) ?? []).map(message)));
    }

    const count = element("output", { for: "within" });
    const input = element("input", { type: "search", id: "within", "aria-keyshortcuts": "/", autocomplete: "off" });
    let places = [];
    let at = -1;
    function find() {
      const found = fill(input.value);
      places = [...main.querySelectorAll("mark.found")];
      at = -1;
      count.textContent = input.value ? plural(found) : "";
    }
    const plural = (found) => (found ? report.plural(found, "place") : "nothing found");
    function go(step) {
      if (!places.length) return;
      places[at]?.classList.remove("current");
      at = (at + step + places.length) % places.length;
      places[at].classList.add("current");
      places[at].scrollIntoView({ block: "center" });
      count.textContent = `${number(at + 1)} of ${report.plural(places.length, "place")}`;
    }
    input.addEventListener("input", find);
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        event.preventDefault();
        go(event.shiftKey ? -1 : 1);
      } else if (event.key === "Escape") {
        input.value = "";
        find();
        input.blur();
      }
    });
    const tools = element("div", { class: "tools" },
      element("label", { for: "within" }, "Find in this conversation "), input,
      element("button", { type: "button", onclick: () => go(-1) }, "Previous"), element("button", { type: "button", onclick: () => go(1) }, "Next"), count,
      element("details", { class: "keys" }, element("summary", {}, "Keys"), element("p", {}, "j and k: next and previous turn. [ and ]: previous and next conversation. /: find; Enter and Shift+Enter: next and previous place.")));
    const legend = element("p", { class: "note" }, element("mark", { class: "adopted" }, "taken over"), " is a word that the speaker takes from the partner in this turn; ",
      element("mark", { class: "shared" }, "shared"), " one that both have used since. Common words are not marked. Turns count from 0; the name of a turn is a link to it.");
    main.replaceChildren(...head, tools, legend, messages.length ? element("div", { class: "transcript" }, numbers.map(turnBlock))
      : element("p", { class: "empty" }, "This conversation has no messages."));
    fill("");
    if (wantedTurn !== undefined) jump(wantedTurn);
  }

  function jump(turn) {
    const place = document.getElementById(`turn-${turn}`);
    if (!place) {
      document.querySelector(".transcript")?.before(element("p", { class: "warning" }, `There is no turn ${visible(turn)} in this conversation.`));
      return;
    }
    document.querySelector(".turn.current")?.classList.remove("current");
    place.classList.add("current");
    place.scrollIntoView({ block: "start" });
    place.focus({ preventScroll: true });
  }

  function step(by) {
    const all = [...document.querySelectorAll(".turn")];
    if (!all.length) return;
    const current = all.indexOf(document.querySelector(".turn.current"));
    const next = all[Math.max(0, Math.min(all.length - 1, current + by))];
    jump(next.id.replace("turn-", ""));
    const [, id] = report.page.path;
    // Without drawing all of it again.
    history.replaceState(null, "", address(["conversation", id, "turn", next.id.replace("turn-", "")]));
  }

  document.addEventListener("keydown", (event) => {
    if (report.page.path[0] !== "conversation" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, select, textarea")) return;
    if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "[") document.getElementById("conversation-previous")?.click();
    else if (event.key === "]") document.getElementById("conversation-next")?.click();
    else if (event.key === "/") {
      event.preventDefault();
      document.getElementById("within")?.focus();
    }
  });

  return { show };
})();
