// The playground: asks each column over a stream and shows the answer while it comes. An answer is text, never markup.
(() => {
  const form = document.querySelector("[data-try-form]");
  if (!form) return;
  const running = new Map();
  const columns = () => [...document.querySelectorAll("[data-try-column]:not([hidden])")];
  const part = (column, name) => column.querySelector(`[data-try-${name}]`);
  const fact = (column, name, text) => { column.querySelector(`[data-try-fact="${name}"]`).textContent = text || "–"; };

  function say(column, state, text) {
    column.dataset.state = state;
    part(column, "state").textContent = text;
  }

  function trace(column, url) {
    const link = part(column, "trace");
    link.href = url || "#";
    link.hidden = !url;
    part(column, "no-trace").hidden = Boolean(url);
  }

  function begin(column, times) {
    part(column, "answer").replaceChildren();
    part(column, "tools").hidden = true;
    part(column, "after").dataset.empty = "";
    for (const name of ["tokens", "cost", "seconds", "first", "model"]) fact(column, name);
    trace(column);
    say(column, "waiting", times > 1 ? `Asking ${times} times…` : "Waiting for the first word…");
    const started = performance.now();
    const node = part(column, "answer").appendChild(document.createTextNode(""));
    return { node, times, text: "", shown: 0, painting: false, ended: false,
      clock: setInterval(() => fact(column, "seconds", `${((performance.now() - started) / 1000).toFixed(1)} s`), 100) };
  }

  // Many pieces may come within one frame: they are painted together, and the end stays in sight if it was.
  function paint(column, run) {
    if (run.painting) return;
    run.painting = true;
    requestAnimationFrame(() => {
      const box = part(column, "answer");
      const follows = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
      run.node.appendData(run.text.slice(run.shown));
      run.shown = run.text.length;
      run.painting = false;
      if (follows) box.scrollTop = box.scrollHeight;
    });
  }

  const told = {
    start(column, run, data) {
      fact(column, "model", data.model);
      trace(column, data.trace);
      column.querySelector("[data-try-after] [name=inputs]").value = JSON.stringify(data.values);
    },
    delta(column, run, data) {
      if (!run.text) say(column, "running", "Answering…");
      run.text += data.text;
      paint(column, run);
    },
    end(column, run, data) {
      for (const [name, text] of Object.entries(data.facts)) fact(column, name, text);
      trace(column, data.trace);
      part(column, "tools").hidden = !data.tools.length;
      part(column, "tools").textContent = data.tools.map((tool) => `${tool.name}(${tool.arguments})`).join("\n");
      column.querySelector("[data-try-after] [data-try-text]").value = run.text;
      delete part(column, "after").dataset.empty;
      say(column, "done", run.text || data.tools.length ? "Done" : "The model answered nothing.");
    },
    run: (column, run, data) => say(column, "running", `${data.done} of ${data.of} came`),
    spread(column, run, data) {
      const box = part(column, "answer");
      box.innerHTML = data.html; // our own template, which has escaped every answer
      window.htmx.process(box);
      say(column, "done", data.sentence);
    },
    error(column, run, data) {
      if (data.trace) trace(column, data.trace);
      say(column, "failed", data.text);
    },
  };

  async function listen(body, tell) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      const blocks = (rest + piece.value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const [, name, data] = block.match(/^event: (\w+)\ndata: (.*)$/s) || [];
        if (name) tell(name, JSON.parse(data));
      }
    }
  }

  window.galleyTry = { form, running, columns, say, begin, told, listen };
})();
