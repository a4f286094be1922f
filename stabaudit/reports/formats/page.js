"use strict";
// Tables are sorted by a click on a column's name: numbers by the first number in each cell, what has none last; else as text.
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const numeric = head.classList.contains("n");
    const value = (row) => {
      const text = row.cells[column].textContent.trim();
      if (!numeric) return text;
      const found = text.replaceAll(",", "").replace("\u2212", "-").match(/-?\d+(\.\d+)?(e[-+]?\d+)?/);
      return found ? Number(found[0]) : null;
    };
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [value(row), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      const order = numeric ? a - b : a.localeCompare(b, "en", { numeric: true });
      return down ? -order : order;
    });
    body.append(...rows.map(([, row]) => row));
  }));
}
// What is folded is unfolded on paper.
addEventListener("beforeprint", () => document.querySelectorAll("details.more").forEach((more) => { more.open = true; }));
