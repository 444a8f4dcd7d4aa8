// The preview without the network: fills mustache and f-string texts exactly as the server does, or says null where only
// the server can tell (Jinja, mistakes, values that need a parser, names outside ASCII).
(() => {
  const D = window.GalleyDraft;
  if (!D) return;
  const NAME = /^[A-Za-z_]\w{0,99}$/;
  const REFERENCE = /@@@langfusePrompt:([^\n]*?)@@@/g;
  const SAME_AS_TYPED = /^(?:-?(?:0|[1-9]\d{0,14})|true|false)$/;
  const ROLES = ["system", "user", "assistant", "tool", "developer"];

  // Returns literals and {name}s in turn, or null.
  function parts(text, format) {
    const found = [];
    let at = 0;
    const pattern = format === "mustache" ? /\{\{([^{}]*)\}\}/g : /\{\{|\}\}|\{([^{}]*)\}|[{}]/g;
    for (const match of text.matchAll(pattern)) {
      found.push(text.slice(at, match.index));
      at = match.index + match[0].length;
      if (match[1] === undefined) {
        if (match[0].length === 1) return null;
        found.push(match[0][0]);
        continue;
      }
      const name = format === "mustache" ? match[1].trim() : match[1];
      if (!NAME.test(name)) return null;
      found.push({ name });
    }
    return [...found, text.slice(at)];
  }

  function expanded(text) {
    let whole = true;
    const result = text.replace(REFERENCE, (tag) => {
      const known = D.state.references.find((one) => one.tag === tag);
      if (!known || known.problem) whole = false;
      return known?.text ?? "";
    });
    return whole ? result : null;
  }

  const standIn = (name) => `[${name.replaceAll("_", " ").split(/\s+/).filter(Boolean).join(" ").toLowerCase()}]`;

  function fits(type, text) {
    return SAME_AS_TYPED.test(text) && (type === "boolean") === /^[tf]/.test(text) && ["number", "integer", "boolean"].includes(type);
  }

  function valueOf(name) {
    const chosen = D.state.sets[D.field("inputs").value];
    if (chosen && name in chosen) return typeof chosen[name] === "string" && typeOf(name) === "string" ? chosen[name] : null;
    return D.variable(name) ? exampleOf(D.variable(name), name) : standIn(name);
  }

  const typeOf = (name) => D.variable(name)?.querySelector("[name$=-type]").value ?? "string";
  function exampleOf(row, name) {
    const of = (part) => row.querySelector(`[name$="-${part}"]`)?.value ?? "";
    const text = (of("example") || of("default")).replaceAll("\r\n", "\n");
    if (of("type") !== "string") return fits(of("type"), text) ? text : null;
    return text || (row.querySelector("[name$=-empty-default]") ? "" : standIn(name));
  }

  function passed(name) {
    const chosen = D.state.sets[D.field("inputs").value];
    try {
      const text = D.variable(name)?.querySelector("[name$=-example]").value || "[]";
      const list = chosen && name in chosen ? chosen[name] : JSON.parse(text);
      const good = Array.isArray(list) && list.every((one) => one && ROLES.includes(one.role) && typeof one.content === "string");
      return good ? list.map(({ role, content }) => ({ role, content })) : null;
    } catch {
      return null;
    }
  }

  // Returns { names, messages } of the page as it stands, or null: then the server is asked.
  D.rendered = () => {
    const format = D.field("format").value;
    if (format === "jinja") return null;
    const items = D.items().flatMap((item) => item.type !== "examples" ? [item] : D.examples().flatMap((row) => [
      { type: "message", role: "user", content: row.input }, { type: "message", role: "assistant", content: row.output }]));
    const names = new Map();
    const places = items.filter((item) => item.type === "placeholder").map((item) => item.name);
    const messages = [];
    const read = items.map((item) => {
      if (item.type === "placeholder") return passed(item.name);
      const text = expanded(item.content);
      return text === null ? null : parts(text, format);
    });
    if (read.includes(null) || places.some((name) => !NAME.test(name)) || new Set(places).size < places.length) return null;
    for (const [at, item] of items.entries()) {
      if (item.type === "placeholder") { messages.push(...read[at]); continue; }
      const filled = read[at].map((part) => {
        if (typeof part === "string") return part;
        if (!names.has(part.name)) names.set(part.name, valueOf(part.name));
        return names.get(part.name);
      });
      messages.push({ role: item.role, content: filled.join("") });
    }
    if ([...names.values()].includes(null) || names.size > 1000 || places.some((name) => names.has(name))) return null;
    return { names: [...[...names.keys()].map((name) => ({ name })), ...places.map((name) => ({ name, type: "messages" }))], messages };
  };
})();
