"use strict";

// The scheme
{
  const root = document.documentElement;
  document.getElementById("theme").addEventListener("click", () => {
    const isDark = getComputedStyle(root).colorScheme === "dark";
    root.dataset.theme = isDark ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch (error) { /* for this page only */ }
  });
}

// The search
{
  const input = document.getElementById("search");
  const list = document.getElementById("hits");
  const status = document.getElementById("found");
  const root = document.body.dataset.root;
  const LIMIT = 40;
  const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const words = (text) => folded(text).split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  let entries = null;
  let chosen = -1;

  function prepared() {
    entries ??= window.searchEntries.map(([title, kind, page, text, synonyms, depth]) => ({
      title, kind, page, text, depth,
      name: words(title).join(" "),
      titleWords: words(title),
      kindWords: words(kind),
      synonyms: synonyms.map(([one, rank]) => [one, words(one), rank]),
      textWords: words(text),
    }));
    return entries;
  }

  // How well an entry fits; 0 if a word is nowhere in it. With it, the synonym that was met.
  function fit(entry, query) {
    const phrase = query.join(" ");
    let score = entry.name === phrase ? 300 : entry.name.startsWith(phrase) ? 120 : 0;
    let met = "";
    for (const [synonym, parts, rank] of entry.synonyms) {
      const text = parts.join(" ");
      // A group of words names first what they mean most.
      const gain = (text === phrase ? 200 : text.startsWith(phrase) ? 90 : 0) / (1 + rank / 8);
      if (gain > 0 && score < gain) { score = gain; met = synonym; }
    }
    for (const word of query) {
      const begins = (one) => one.startsWith(word);
      if (entry.titleWords.includes(word)) score += 60;
      else if (entry.titleWords.some(begins)) score += 40;
      else {
        const synonym = entry.synonyms.find(([, parts]) => parts.some(begins));
        if (synonym) { score += 30; met ||= synonym[0]; }
        else if (entry.kindWords.some(begins)) score += 12;
        else if (entry.textWords.includes(word)) score += 10;
        else if (entry.textWords.some(begins)) score += 6;
        else return [0, ""];
      }
    }
    return [score / (1 + entry.depth * 0.8) - entry.titleWords.length, met];
  }

  function choose(place) {
    const items = list.children;
    items[chosen]?.setAttribute("aria-selected", "false");
    chosen = items.length ? (place + items.length) % items.length : -1;
    if (chosen < 0) { input.removeAttribute("aria-activedescendant"); return; }
    items[chosen].setAttribute("aria-selected", "true");
    items[chosen].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", items[chosen].id);
  }

  function close() {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    chosen = -1;
  }

  function element(tag, name, text) {
    const made = document.createElement(tag);
    made.className = name;
    made.textContent = text;
    return made;
  }

  function show() {
    const query = words(input.value);
    list.replaceChildren();
    chosen = -1;
    if (!query.length) { status.textContent = ""; close(); return; }
    const hits = [];
    for (const entry of prepared()) {
      const [score, met] = fit(entry, query);
      if (score > 0) hits.push([score, entry, met]);
    }
    hits.sort((one, other) => other[0] - one[0]);
    hits.slice(0, LIMIT).forEach(([, entry, met], place) => {
      const hit = element("a", "hit", "");
      hit.id = `hit-${place}`;
      hit.href = root + entry.page;
      hit.tabIndex = -1;
      hit.setAttribute("role", "option");
      hit.setAttribute("aria-selected", "false");
      hit.append(element("span", "title", entry.title), " ", element("span", "kind", entry.kind));
      if (met) hit.append(" ", element("span", "met", `“${met}”`));
      if (entry.text) hit.append(element("span", "text", entry.text));
      list.append(hit);
    });
    status.textContent = hits.length ? `${hits.length} found` : "Nothing found";
    if (!hits.length) list.append(element("p", "nothing", "Nothing found. Try one word, or the beginning of one."));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    if (hits.length) choose(0);
  }

  input.addEventListener("input", show);
  input.addEventListener("focus", () => { if (input.value) show(); });
  input.addEventListener("keydown", (event) => {
    const isOpen = !list.hidden;
    if (event.key === "ArrowDown" && isOpen) { choose(chosen + 1); event.preventDefault(); }
    else if (event.key === "ArrowUp" && isOpen) { choose(chosen - 1); event.preventDefault(); }
    else if (event.key === "Escape") { if (isOpen) { close(); event.preventDefault(); } else input.blur(); }
    else if (event.key === "Enter") {
      event.preventDefault();
      const hit = list.children[Math.max(chosen, 0)];
      if (isOpen && hit?.href) { close(); location.href = hit.href; }
    }
  });
  input.form.addEventListener("submit", (event) => event.preventDefault());
  list.addEventListener("click", close);
  document.addEventListener("click", (event) => { if (!input.form.contains(event.target)) close(); });
  input.form.addEventListener("focusout", (event) => { if (event.relatedTarget && !input.form.contains(event.relatedTarget)) close(); });
  document.addEventListener("keydown", (event) => {
    const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName);
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      input.focus();
      input.select();
    }
  });
}

// The columns of a table that hold some letters
{
  const input = document.getElementById("filter");
  const columns = [...document.querySelectorAll("article.column")];
  const filter = () => {
    const wanted = input.value.trim().toLowerCase();
    let count = 0;
    for (const column of columns) {
      const text = column.querySelector(".said").textContent;
      column.hidden = !`${column.dataset.name} ${text}`.toLowerCase().includes(wanted);
      count += !column.hidden;
    }
    document.getElementById("filtered").textContent = wanted ? `${count} of ${columns.length}` : "";
  };
  input?.addEventListener("input", filter);
  // A link to a column that is hidden shows it.
  window.addEventListener("hashchange", () => {
    const column = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (column?.hidden && input) { input.value = ""; filter(); column.scrollIntoView(); }
  });
}

// Copying
for (const button of document.querySelectorAll("button.copy")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
      button.textContent = "Copied";
    } catch (error) { button.textContent = "Select it by hand"; }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}

// Graphs: what leads where, moving, zoom
for (const canvas of document.querySelectorAll(".canvas")) {
  const svg = canvas.querySelector("svg");
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const lines = [...svg.querySelectorAll("path[data-start]")];
  const boxes = new Map([...svg.querySelectorAll("a.box")].map((box) => [box.id, box]));
  let scale = 1;

  function zoom(wanted) {
    const least = Math.min(1, canvas.clientWidth / width);
    const middle = (canvas.scrollLeft + canvas.clientWidth / 2) / scale;
    scale = Math.min(3, Math.max(least, wanted));
    svg.setAttribute("width", width * scale);
    svg.setAttribute("height", height * scale);
    canvas.scrollLeft = middle * scale - canvas.clientWidth / 2;
  }

  function mark(key) {
    const kept = new Set();
    const joined = new Set();
    const follow = (one, from, to) => {
      for (const line of lines) {
        if (line.dataset[from] !== one) continue;
        joined.add(line);
        const next = line.dataset[to];
        if (!kept.has(`${from} ${next}`)) { kept.add(`${from} ${next}`); follow(next, from, to); }
      }
    };
    if (key) { follow(key, "start", "end"); follow(key, "end", "start"); }
    svg.classList.toggle("marked", Boolean(key));
    for (const line of lines) line.classList.toggle("on", joined.has(line));
    for (const [name, box] of boxes) {
      box.classList.toggle("on", name === key || kept.has(`start ${name}`) || kept.has(`end ${name}`));
    }
  }

  let held = "";
  for (const [key, box] of boxes) {
    box.addEventListener("mouseenter", () => mark(key));
    box.addEventListener("mouseleave", () => mark(held));
    box.addEventListener("focus", () => mark(key));
    box.addEventListener("blur", () => mark(held));
  }
  for (const button of document.querySelectorAll("button[data-zoom]")) {
    button.addEventListener("click", () => zoom(scale * Number(button.dataset.zoom)));
  }
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoom(scale * (event.deltaY < 0 ? 1.1 : 0.9));
  }, { passive: false });

  let start = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button === 0) start = [event.clientX, event.clientY, canvas.scrollLeft, canvas.scrollTop, false];
  });
  window.addEventListener("pointermove", (event) => {
    if (!start) return;
    const [x, y] = [event.clientX - start[0], event.clientY - start[1]];
    if (Math.abs(x) + Math.abs(y) > 4) start[4] = true;
    canvas.scrollLeft = start[2] - x;
    canvas.scrollTop = start[3] - y;
  });
  window.addEventListener("pointerup", () => { setTimeout(() => { start = null; }, 0); });
  canvas.addEventListener("click", (event) => { if (start?.[4]) event.preventDefault(); }, true);
  canvas.addEventListener("dragstart", (event) => event.preventDefault());

  // The address may name a table.
  held = boxes.has(decodeURIComponent(location.hash.slice(1))) ? decodeURIComponent(location.hash.slice(1)) : "";
  if (held) {
    mark(held);
    const box = boxes.get(held).getBBox();
    canvas.scrollLeft = box.x - canvas.clientWidth / 2;
    canvas.scrollTop = box.y - canvas.clientHeight / 2;
    boxes.get(held).focus({ preventScroll: true });
  }
}
