// Remarks: @ offers the names of those who can open the page, and marked words of a message become the quote.
(() => {
  const names = () => [...document.querySelectorAll("#people-to-name option")].map((option) => option.value);
  let list = null;

  function close() { list?.remove(); list = null; }

  // What stands between the @ and the cursor, if one is being written.
  function begun(area) {
    const match = area.value.slice(0, area.selectionStart).match(/(?:^|[^\w@])@([^@\n]{0,40})$/u);
    return match ? match[1] : null;
  }

  function offer(area) {
    close();
    const start = begun(area);
    if (start === null) return;
    const found = names().filter((name) => name.toLowerCase().startsWith(start.toLowerCase())).slice(0, 6);
    if (!found.length || found.some((name) => name.toLowerCase() === start.toLowerCase())) return;
    list = document.createElement("ul");
    list.className = "g-mentions";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "People to name");
    for (const [place, name] of found.entries()) {
      const item = document.createElement("li");
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", place === 0);
      item.textContent = name;
      item.addEventListener("mousedown", (event) => { event.preventDefault(); take(area, name); });
      list.append(item);
    }
    area.after(list);
  }

  function take(area, name) {
    const at = area.selectionStart, start = begun(area);
    area.setRangeText(`${name} `, at - start.length, at, "end");
    close();
    area.focus();
  }

  function step(by) {
    const items = [...list.children];
    const at = items.findIndex((item) => item.getAttribute("aria-selected") === "true");
    items[at].setAttribute("aria-selected", "false");
    items[(at + by + items.length) % items.length].setAttribute("aria-selected", "true");
  }

  document.addEventListener("input", (event) => { if (event.target.matches("[data-mention]")) offer(event.target); });
  document.addEventListener("focusout", (event) => { if (event.target.matches("[data-mention]")) close(); });
  document.addEventListener("keydown", (event) => {
    if (!list || !event.target.matches("[data-mention]")) return;
    if (event.key === "Escape") close();
    else if (event.key === "ArrowDown") step(1);
    else if (event.key === "ArrowUp") step(-1);
    else if (event.key === "Enter" || event.key === "Tab") {
      take(event.target, list.querySelector("[aria-selected=true]").textContent);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }, true);

  // Marking words in a message chooses the line they stand in, for when the form is opened.
  document.addEventListener("selectionchange", () => {
    const marked = document.getSelection();
    const message = marked?.anchorNode?.parentElement?.closest(".g-message");
    const select = message?.querySelector("[data-point] select");
    const words = marked?.toString().trim().split("\n")[0].trim();
    if (!select || !words || words.length < 3) return;
    const line = [...select.options].find((option) => option.value.includes(words));
    if (line) select.value = line.value;
  });
})();
