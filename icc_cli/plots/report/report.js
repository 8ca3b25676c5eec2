
"use strict";
// What the page does beyond being read: it sorts and filters tables, and lights a model wherever it is.
(() => {
  const number = cell => {
    if (!cell) return NaN;
    const text = cell.dataset.value ?? cell.firstChild?.textContent.trim().replace("−", "-") ?? "";
    return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) ? parseFloat(text) : NaN;
  };
  const words = cell => (cell?.textContent ?? "").trim();

  function compare(a, b) {
    const x = number(a), y = number(b);
    if (!isNaN(x) && !isNaN(y)) return x - y;
    if (isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;
    return words(a).localeCompare(words(b), undefined, {numeric: true});
  }

  function sortable(table) {
    const body = table.tBodies[0], order = [...body.rows], heads = [...table.tHead.rows[0].cells];
    if (order.length < 2) return;
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.append(...head.childNodes);
      button.title = "Sort by this column";
      head.append(button);
      button.addEventListener("click", () => {
        const next = {none: "ascending", ascending: "descending", descending: "none"}[head.ariaSort ?? "none"];
        heads.forEach(other => other.removeAttribute("aria-sort"));
        const rows = [...order];
        if (next !== "none") {
          head.ariaSort = next;
          const missing = row => isNaN(number(row.cells[column])) && /^[-–]?$/.test(words(row.cells[column]));
          const sign = next === "ascending" ? 1 : -1;
          rows.sort((a, b) => missing(a) - missing(b) || sign * compare(a.cells[column], b.cells[column]));
        }
        body.classList.toggle("sorted", next !== "none");
        body.append(...rows);
      });
    });
  }

  // `adam width=1.5 test_accuracy>.4`: every word is in the row, every comparison holds.
  function matches(row, terms, columns) {
    return terms.every(term => {
      const [, name, sign, value] = term.match(/^(.+?)(<=|>=|<|>|=)(.+)$/) ?? [];
      const column = columns.indexOf(name);
      if (column < 0) return row.textContent.toLowerCase().includes(term);
      const cell = row.cells[column], x = number(cell), y = parseFloat(value);
      if (sign === "=") return isNaN(x) ? words(cell).toLowerCase() === value : x === y;
      return {"<": x < y, ">": x > y, "<=": x <= y, ">=": x >= y}[sign];
    });
  }

  function filterable(box) {
    const rows = [...box.querySelectorAll("tbody tr")];
    const columns = [...box.querySelectorAll("thead th")].map(head => words(head).toLowerCase());
    const line = document.createElement("div"), input = document.createElement("input");
    const count = document.createElement("span");
    line.className = "filter";
    input.type = "search";
    input.placeholder = `Filter: words, or ${columns[1]}=1`;
    input.setAttribute("aria-label", "Filter the rows of this table");
    input.addEventListener("input", () => {
      const terms = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach(row => { row.hidden = !matches(row, terms, columns); });
      count.textContent = terms.length ? `${rows.filter(row => !row.hidden).length} of ${rows.length}` : "";
    });
    line.append(input, count);
    box.before(line);
  }

  const models = new Map();
  for (const one of document.querySelectorAll("[data-of]")) {
    models.set(one.dataset.of, [...models.get(one.dataset.of) ?? [], one]);
  }
  const said = document.querySelector("body > output");
  let pinned = null;

  function light(one) {
    for (const lit of document.querySelectorAll(".lit")) lit.classList.remove("lit");
    for (const each of models.get(one?.dataset.of) ?? []) {
      each.classList.add("lit");
      if (each !== one && each.matches(".mark")) each.parentNode.append(each); // over the others
    }
    said.textContent = one ? one.querySelector("title")?.textContent ?? words(one.cells?.[0]) : "";
  }

  const within = event => event.target.closest?.("[data-of], .mark");
  document.addEventListener("mouseover", event => { light(within(event) ?? pinned); });
  document.addEventListener("click", event => {
    const one = within(event);
    if (!one && !pinned) return;
    if (event.target.closest("button, input, summary")) return;
    pinned = one && one.dataset.of !== pinned?.dataset.of ? one : null;
    light(pinned);
  });
  document.addEventListener("keydown", event => { if (event.key === "Escape") light(pinned = null); });

  for (const table of document.querySelectorAll("table")) sortable(table);
  for (const box of document.querySelectorAll(".tall")) filterable(box);
})();
