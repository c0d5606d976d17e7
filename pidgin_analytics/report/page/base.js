// What all views share: the data, the filter, links, elements, numbers.
"use strict";

const report = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);

  // A table of columns becomes a list of rows.
  function rowsOf(table) {
    const rows = Array.from({ length: table.count }, () => ({}));
    for (const [name, column] of Object.entries(table.columns)) {
      const values = Array.isArray(column)
        ? column
        : column.places.map((place) => column.texts[place]);
      values.forEach((value, index) => {
        rows[index][name] = value;
      });
    }
    return rows;
  }

  function groupBy(rows, keyOf) {
    const groups = new Map();
    for (const row of rows) {
      const key = keyOf(row);
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(row);
    }
    return groups;
  }

  const experiments = rowsOf(data.experiments);
  const conversations = rowsOf(data.conversations);
  const curves = rowsOf(data.curves);
  const words = rowsOf(data.words);
  const turns = groupBy(rowsOf(data.turns), (row) => row.conversation_id);
  const incidents = groupBy(rowsOf(data.incidents), (row) => row.conversation_id);
  const experimentOf = new Map(experiments.map((row) => [row.experiment_id, row]));
  const conversationOf = new Map(conversations.map((row) => [row.conversation_id, row]));

  // Elements. Text is only ever set as text, whatever it holds.
  function element(tag, properties = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
    return made;
  }

  // What a terminal or a printer would obey is shown as a picture of itself.
  function visible(text) {
    return text.replaceAll("\r\n", "\n").replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, (found) =>
      found === "\u007f" ? "\u2421" : String.fromCharCode(0x2400 + found.charCodeAt(0)));
  }

  // A name from outside, whose direction of writing stays its own.
  const named = (text) => element("bdi", {}, visible(String(text)));

  const none = "–";
  const formats = {};
  function number(value, digits = 0) {
    if (value === null || value === undefined) return none;
    formats[digits] ??= new Intl.NumberFormat("en", {
      minimumFractionDigits: digits, maximumFractionDigits: digits,
    });
    // No minus before a zero.
    return formats[digits].format(value).replace(/^-(?=[0.,]*$)/, "");
  }
  const money = (value) => (value === null || value === undefined
    ? none : `$${number(value, value < 1 ? 4 : 2)}`);
  const day = (moment) => (moment ? moment.slice(0, 10) : none);
  const minute = (moment) => (moment ? `${moment.slice(0, 10)} ${moment.slice(11, 16)}` : none);
  const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

  // Sums and means leave out what was not measured; nothing measured is null.
  function sum(rows, name) {
    const values = rows.map((row) => row[name]).filter((value) => value !== null);
    return values.length ? values.reduce((total, value) => total + value, 0) : null;
  }
  function weightedMean(rows, name, weight) {
    let total = 0;
    let weights = 0;
    for (const row of rows) {
      if (row[name] === null || !row[weight]) continue;
      total += row[name] * row[weight];
      weights += row[weight];
    }
    return weights ? total / weights : null;
  }
  function meanAndSpread(values) {
    const known = values.filter((value) => value !== null);
    const count = known.length;
    if (!count) return { count, mean: null, squares: null };
    const mean = known.reduce((total, value) => total + value, 0) / count;
    return { count, mean, squares: known.reduce((total, value) => total + (value - mean) ** 2, 0) };
  }
  // Of parts that were counted apart (Chan, Golub and LeVeque 1979).
  function pooled(parts) {
    let count = 0;
    let mean = 0;
    let squares = 0;
    for (const part of parts) {
      if (!part.count) continue;
      const difference = part.mean - mean;
      const total = count + part.count;
      squares += part.squares + difference ** 2 * count * part.count / total;
      mean += difference * part.count / total;
      count = total;
    }
    return count ? { count, mean, squares } : { count, mean: null, squares: null };
  }
  function tQuantile(degrees) {
    const whole = Math.floor(degrees);
    if (whole <= data.t_quantiles.length) return data.t_quantiles[whole - 1];
    const z = 1.959963984540054;
    return z + (z ** 3 + z) / (4 * degrees) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * degrees ** 2);
  }
  // Half of the interval of 95 % of a mean.
  function margin({ count, squares }) {
    if (count < 2) return null;
    return tQuantile(count - 1) * Math.sqrt(squares / (count - 1) / count);
  }

  const modelsOf = (row) => [row.agent_a_model, row.agent_b_model].map((model) => model ?? "unknown");
  const pairOf = (row) => modelsOf(row).sort().join(" and ");
  const agentsOf = (row) => modelsOf(row).map((model, index) => `${"AB"[index]}: ${model}`).join(", ");

  // The filter: what a row of conversations or of curves must be.
  const filterNames = ["experiment", "model", "status", "text"];
  let filter = {};
  let page = { path: [], filter };

  function isChosen(row) {
    if (filter.experiment && row.experiment_id !== filter.experiment) return false;
    if (filter.model && !modelsOf(row).includes(filter.model)) return false;
    if (filter.status && row.status !== filter.status) return false;
    if (filter.text) {
      const name = experimentOf.get(row.experiment_id)?.name ?? "";
      const wanted = filter.text.toLowerCase();
      return `${name} ${row.experiment_id}`.toLowerCase().includes(wanted);
    }
    return true;
  }
  const isFiltered = () => filterNames.some((name) => filter[name]);

  // An address: the path, and the filter behind a question mark.
  function address(path, changes = {}) {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries({ ...filter, ...changes })) {
      if (value) parameters.set(name, value);
    }
    const text = parameters.toString();
    return `#/${path.map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`;
  }
  function readAddress() {
    const [path, text = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
    const parameters = new URLSearchParams(text);
    filter = Object.fromEntries([...parameters].filter(([, value]) => value));
    let parts = [];
    try {
      parts = path.split("/").filter(Boolean).map(decodeURIComponent);
    } catch {
      parts = ["broken"];
    }
    page = { path: parts, filter };
    return page;
  }

  // A button that shows what a column means, in the words of its description.
  function info(table, column, name) {
    const text = data.definitions[table]?.[column];
    if (!text) return null;
    return element("button", {
      type: "button", class: "info", "aria-label": `What ${name} means`, popovertarget: "definition",
      onclick: () => {
        const target = document.getElementById("definition");
        target.replaceChildren(
          element("p", {}, element("strong", {}, `${table}.${column}`)),
          element("p", {}, text.replaceAll("`", "")),
        );
      },
    }, "?");
  }

  // A table whose columns sort, with rows added as they are asked for.
  function sortableTable(caption, columns, rows, { first, descending = false, atOnce = 100 }) {
    let order = { column: columns.find((column) => column.name === first), descending };
    let shown = atOnce;
    const body = element("tbody");
    const more = element("button", { type: "button", onclick: () => { shown += 10 * atOnce; fill(); } });
    const heads = columns.map((column) => {
      const button = element("button", { type: "button", class: "sort", onclick: () => {
        order = { column, descending: order.column === column ? !order.descending : Boolean(column.isNumber) };
        fill();
      } }, column.title);
      return element("th", { scope: "col", class: column.isNumber ? "number" : null },
        column.value ? button : column.title, column.info ?? null);
    });
    function fill() {
      const sorted = [...rows].sort((one, other) => {
        const [a, b] = [order.column.value(one), order.column.value(other)];
        if (a === b) return 0;
        // What was not measured comes last, either way.
        if (a === null || a === undefined) return 1;
        if (b === null || b === undefined) return -1;
        const result = typeof a === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
        return order.descending ? -result : result;
      });
      columns.forEach((column, index) => {
        if (column === order.column) heads[index].setAttribute("aria-sort", order.descending ? "descending" : "ascending");
        else heads[index].removeAttribute("aria-sort");
      });
      body.replaceChildren(...sorted.slice(0, shown).map((row) => element("tr", {},
        columns.map((column, index) => element(index ? "td" : "th", {
          scope: index ? null : "row", "data-label": column.title, class: column.isNumber ? "number" : null,
        }, column.cell(row))))));
      more.hidden = sorted.length <= shown;
      more.textContent = `Show more of ${number(sorted.length)}`;
    }
    fill();
    return element("div", {},
      element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
        element("table", { class: "rows" },
          element("caption", { class: "unseen" }, caption),
          element("thead", {}, element("tr", {}, heads)), body)),
      more);
  }

  return {
    data, rowsOf, groupBy, experiments, conversations, curves, words, turns, incidents,
    experimentOf, conversationOf, element, visible, named, none, number, money, day, minute, plural,
    sum, weightedMean, meanAndSpread, pooled, tQuantile, margin, modelsOf, pairOf, agentsOf,
    isChosen, isFiltered, address, readAddress, info, sortableTable, filterNames,
    // What was chosen on a page, besides the filter.
    choices: {},
    get page() { return page; },
    get filter() { return filter; },
  };
})();
