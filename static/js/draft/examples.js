// The examples' table: rows are added, moved and taken away; rows of a spreadsheet can be pasted into any field.
(() => {
  const D = window.GalleyDraft;
  if (!D) return;

  D.form.addEventListener("click", (event) => {
    const button = event.target.closest("[data-example-op]");
    if (!button) return;
    event.preventDefault();
    const op = button.dataset.exampleOp;
    const row = button.closest("tr");
    if (op === "add") {
      const fresh = D.copy("example-row");
      button.closest("[data-card]").querySelector("tbody").append(fresh);
      fresh.querySelector("textarea").focus();
    } else if (op === "remove") {
      const next = row.nextElementSibling || row.previousElementSibling;
      row.remove();
      next?.querySelector("textarea").focus();
    } else {
      if (op === "up") row.previousElementSibling?.before(row);
      else row.nextElementSibling?.after(row);
      button.focus();
    }
    D.changed();
  });

  // Cells as spreadsheets copy them: tabs and line ends between, quotes around a cell that holds either.
  function cells(text) {
    const rows = [[]];
    const pattern = /(?:"((?:[^"]|"")*)"|([^\t\r\n]*))(\t|\r\n|\n|\r|$)/gy;
    for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
      rows.at(-1).push(match[1] === undefined ? match[2] : match[1].replaceAll('""', '"'));
      if (match[3] === "" ) break;
      if (match[3] !== "\t") rows.push([]);
    }
    return rows.filter((row) => row.some(Boolean));
  }

  D.form.addEventListener("paste", (event) => {
    const field = event.target.closest("[data-examples] textarea");
    const text = event.clipboardData?.getData("text/plain") || "";
    if (!field || !text.includes("\t")) return;
    event.preventDefault();
    let row = field.closest("tr");
    const pasted = cells(text);
    for (const [at, [input = "", output = ""]] of pasted.entries()) {
      if (at) {
        const fresh = D.copy("example-row");
        row.after(fresh);
        row = fresh;
      }
      row.querySelector("[name=example-input]").value = input;
      row.querySelector("[name=example-output]").value = output;
    }
    D.changed();
    window.galleyToast("success", `${pasted.length} ${pasted.length === 1 ? "row" : "rows"} pasted.`);
  });
})();
