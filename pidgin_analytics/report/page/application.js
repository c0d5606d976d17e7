// Shows the page that the address names, and the filter above it.
"use strict";

const application = (() => {
  const { element, number, plural } = report;
  const main = document.getElementById("main");

  function filterForm() {
    const form = document.getElementById("filter");
    const options = (name, title, values) => element("label", {}, `${title} `,
      element("select", { name }, element("option", { value: "" }, "all"),
        values.map(([value, text]) => element("option", { value, selected: report.filter[name] === value }, report.visible(text)))));
    const models = [...new Set(report.conversations.flatMap(report.modelsOf))].sort();
    const statuses = [...new Set(report.conversations.map((row) => row.status))].sort();
    form.replaceChildren(
      options("experiment", "Experiment", report.experiments.map((row) => [row.experiment_id, row.name ?? row.experiment_id])),
      options("model", "Model", models.map((model) => [model, model])),
      options("status", "Status", statuses.map((status) => [status, status])),
      element("label", {}, "Name holds ", element("input", { type: "search", name: "text", autocomplete: "off", value: report.filter.text ?? "" })),
      element("button", { type: "reset" }, "All"),
      element("output", { id: "chosen" }));
  }
  document.getElementById("filter").addEventListener("change", choose);
  document.getElementById("filter").addEventListener("input", (event) => { if (event.target.type === "search") choose(); });
  document.getElementById("filter").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("filter").addEventListener("reset", (event) => {
    event.preventDefault();
    go(Object.fromEntries(report.filterNames.map((name) => [name, ""])));
    filterForm();
    count();
  });
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  function choose() {
    const chosen = Object.fromEntries(report.filterNames.map((name) => [name, document.getElementById("filter").elements[name].value]));
    // A field that is left says so once more.
    if (report.filterNames.every((name) => (report.filter[name] ?? "") === chosen[name])) return;
    go(chosen);
  }
  // Another experiment chosen while one is shown shows that one.
  function go(filter) {
    let path = report.page.path;
    if (path[0] === "experiment") path = filter.experiment ? ["experiment", filter.experiment] : path[1] === report.filter.experiment ? [] : path;
    history.pushState(null, "", report.address(path, filter));
    report.readAddress();
    show();
  }
  function count() {
    const chosen = report.conversations.filter(report.isChosen).length;
    document.getElementById("chosen").textContent = `${number(chosen)} of ${plural(report.conversations.length, "conversation")}`;
  }

  function show() {
    const [kind, id, , turn] = report.page.path;
    const focused = document.activeElement?.closest("main") ? document.activeElement : null;
    charts.forget();
    count();
    // In a conversation there is nothing to choose.
    document.getElementById("filter").hidden = kind === "conversation";
    let title = "Experiments";
    if (kind === undefined) main.replaceChildren(...flat(views.overview()));
    else if (kind === "compare") {
      title = "Comparison";
      main.replaceChildren(...flat(views.comparison()));
    } else if (kind === "conversations") {
      title = "Conversations";
      main.replaceChildren(...flat(views.allConversations()));
    } else if (kind === "experiment") {
      title = report.experimentOf.get(id)?.name ?? id;
      main.replaceChildren(...flat(views.experiment(id)));
    } else if (kind === "conversation") {
      title = id;
      reader.show(main, id, turn);
    } else main.replaceChildren(...flat(views.missing("There is no page at this address.")));
    // What was chosen is drawn anew, and keeps the keyboard.
    if (focused?.name) {
      [...main.querySelectorAll(`[name="${CSS.escape(focused.name)}"]`)]
        .find((one) => one.type.startsWith("select") || one.value === focused.value)?.focus();
    }
    document.title = `${report.visible(String(title))} · Conversations between models`;
    for (const link of document.querySelectorAll("header nav a")) {
      const path = link.getAttribute("href").split("?")[0].replace("#/", "");
      link.href = report.address(path ? [path] : []);
      if (path === (["compare", "conversations"].includes(kind) ? kind : "")) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }
  const flat = (parts) => parts.flat(Infinity).filter(Boolean);

  function open() {
    const before = report.page.path.join("/");
    const filterBefore = JSON.stringify(report.filter);
    report.readAddress();
    if (JSON.stringify(report.filter) !== filterBefore) filterForm();
    show();
    if (before !== report.page.path.join("/") && report.page.path[2] !== "turn") {
      scrollTo(0, 0);
      main.focus({ preventScroll: true });
    }
  }
  addEventListener("hashchange", open);
  addEventListener("popstate", open);

  // Light or dark: what the system says, until the button is pressed.
  const scheme = document.getElementById("scheme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.scheme ?? (dark.matches ? "dark" : "light")) === "dark";
  const nameScheme = () => { scheme.textContent = isDark() ? "Light" : "Dark"; };
  scheme.addEventListener("click", () => {
    document.documentElement.dataset.scheme = isDark() ? "light" : "dark";
    nameScheme();
    charts.redraw();
  });
  dark.addEventListener("change", () => {
    nameScheme();
    charts.redraw();
  });
  nameScheme();

  let waiting = 0;
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(charts.redraw, 200);
  });

  report.readAddress();
  filterForm();
  // Those that are defined later are needed only now.
  queueMicrotask(show);
  return { show };
})();
