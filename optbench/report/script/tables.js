// Tables: costs and sorting
function priceCells() {
  for (const cell of $$("td[data-steps]")) {
    const text = cell.dataset[state.cost], value = text === "" ? Infinity : Number(text);
    cell.dataset.v = text;
    cell.firstChild.textContent = state.cost === "seconds" ? seconds(value) : number(value);
  }
  for (const table of $$("table.by-cost")) {
    const rows = $$("tbody tr", table).filter((row) => !hidden.has(Number(row.dataset.o)));
    for (let column = 0; rows.length && column < rows[0].cells.length; column += 1) {
      const cells = rows.map((row) => row.cells[column]);
      if (!("ert" in cells[0].dataset)) continue;
      const values = cells.map((cell) => (cell.dataset.v === "" ? Infinity : Number(cell.dataset.v)));
      const best = Math.min(...values);
      cells.forEach((cell, j) => cell.classList.toggle("best", values[j] === best && best < Infinity));
    }
  }
  for (const word of $$(".cost-word")) word.textContent = state.cost;
}
function sortBy(button) {
  const heading = button.closest("th"), table = heading.closest("table"), column = heading.cellIndex;
  const down = heading.getAttribute("aria-sort") === "ascending";
  for (const other of $$("th[aria-sort]", table)) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = (row) => {
    const text = row.cells[column].dataset.v;
    return text === "" || text === undefined ? null : Number.isNaN(Number(text)) ? text.toLowerCase() : Number(text);
  };
  const rows = $$("tbody tr", table).map((row, place) => ({ row, place, key: key(row) }));
  rows.sort((a, b) => {
    if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.place - b.place;
    const less = a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
    return (down ? -less : less) || a.place - b.place;
  });
  for (const { row } of rows) row.parentNode.append(row);
}
