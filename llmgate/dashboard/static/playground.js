// Sends chats to /ui/playground/chat, one for each chosen model, and shows their streams.
const form = document.getElementById("play");
if (form) start();

function start() {
  const columns = document.getElementById("columns");
  const message = document.getElementById("message");
  const stop = document.getElementById("stop");
  let running = [];

  const pickers = () => [...form.querySelectorAll("select[name=model]")];

  function make(tag, name, text) {
    const found = document.createElement(tag);
    if (name) found.className = name;
    if (text !== undefined) found.textContent = text;
    if (tag === "pre") found.tabIndex = 0; // it may scroll: the keyboard must reach it
    return found;
  }

  // -- columns: one for each model

  function addColumn() {
    const column = make("div", "column");
    const log = make("div", "log");
    log.setAttribute("role", "log");
    log.tabIndex = 0;
    const title = make("h2");
    column.append(title, log);
    columns.append(column);
    return { column, title, log, messages: [] };
  }
  const talks = [addColumn()];

  function rename() {
    pickers().forEach((picker, at) => {
      picker.setAttribute("aria-label", `Model ${at + 1}`);
      talks[at].title.textContent = picker.value;
      talks[at].log.setAttribute("aria-label", `Conversation with ${picker.value}`);
    });
    code();
  }

  document.getElementById("more").addEventListener("click", (event) => {
    const first = document.querySelector(".pick");
    const pick = first.cloneNode(true);
    const select = pick.querySelector("select");
    select.selectedIndex = Math.min(pickers().length, select.options.length - 1);
    const remove = make("button", "link", "Remove");
    remove.type = "button";
    pick.append(remove);
    document.getElementById("models").append(pick);
    const talk = addColumn();
    talks.push(talk);
    remove.addEventListener("click", () => {
      talks.splice(talks.indexOf(talk), 1);
      talk.column.remove();
      pick.remove();
      event.target.hidden = pickers().length >= 4;
      rename();
    });
    event.target.hidden = pickers().length >= 4;
    rename();
    select.focus();
  });

  // -- the request

  function body(model, messages) {
    const value = (name) => form.elements[name].value.trim();
    const found = { model, messages: [...messages] };
    if (value("system")) found.messages.unshift({ role: "system", content: value("system") });
    for (const name of ["temperature", "max_tokens"]) {
      if (value(name)) found[name] = Number(value(name));
    }
    if (value("tools")) found.tools = JSON.parse(value("tools"));
    return found;
  }

  function problem(text) {
    const box = document.getElementById("problem");
    box.hidden = !text;
    box.firstElementChild.textContent = text;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem("");
    const text = message.value;
    if (!text.trim() || running.length) return;
    let bodies;
    try {
      bodies = pickers().map((picker, at) =>
        body(picker.value, [...talks[at].messages, { role: "user", content: text }]));
    } catch (error) {
      problem(`The tools are not valid JSON: ${error.message}`);
      return;
    }
    message.value = "";
    stop.disabled = false;
    running = bodies.map(() => new AbortController());
    await Promise.all(bodies.map((each, at) => ask(talks[at], each, text, running[at].signal)));
    running = [];
    stop.disabled = true;
    code();
    message.focus();
  });
  stop.addEventListener("click", () => running.forEach((each) => each.abort()));
  document.getElementById("clear").addEventListener("click", () => {
    running.forEach((each) => each.abort());
    talks.forEach((talk) => { talk.messages = []; talk.log.replaceChildren(); });
    problem("");
    code();
  });
  message.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });

  // -- one answer

  async function ask(talk, request, text, signal) {
    talk.log.append(make("p", "said user", text));
    const answer = make("div", "said");
    const thoughts = make("details", "thoughts");
    thoughts.append(make("summary", "", "Reasoning"), make("pre", "wrap"));
    thoughts.hidden = true;
    const words = make("p", "words waiting", "…");
    const numbers = make("p", "numbers soft small");
    answer.append(thoughts, words, numbers);
    talk.log.append(answer);
    const state = { text: "", reasoning: "", calls: [], raw: "", first: 0, began: performance.now(), summary: null, error: "" };
    try {
      const response = await fetch(form.dataset.url, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRF-Token": form.dataset.csrf },
        body: JSON.stringify(request),
        signal,
      });
      if (!response.ok) throw new Error(await reason(response));
      for await (const event of events(response, state)) {
        take(event, state);
        words.textContent = state.text || (state.calls.length ? "" : "…");
        words.classList.toggle("waiting", !state.text);
        thoughts.hidden = !state.reasoning;
        thoughts.lastChild.textContent = state.reasoning;
        talk.log.scrollTop = talk.log.scrollHeight;
      }
    } catch (error) {
      state.error = error.name === "AbortError" ? "Stopped." : error.message;
    }
    state.ended = performance.now();
    finish(talk, state, { answer, words, numbers }, text);
  }

  async function reason(response) {
    const data = await response.text();
    try {
      return `${response.status}: ${JSON.parse(data).error.message}`;
    } catch {
      return `${response.status}: ${data.slice(0, 500)}`;
    }
  }

  async function* events(response, state) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      state.raw += value;
      const blocks = (rest + value).split(/\r?\n\r?\n/);
      rest = blocks.pop();
      yield* blocks;
    }
  }

  function take(block, state) {
    const lines = block.split(/\r?\n/);
    const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim()).join("\n");
    if (!data || data === "[DONE]") return;
    const found = JSON.parse(data);
    if (lines.includes("event: llmgate")) { state.summary = found; return; }
    if (found.error) throw new Error(found.error.message || data);
    const delta = found.choices?.[0]?.delta || {};
    const thought = delta.reasoning_content || delta.reasoning || "";
    if (!state.first && (delta.content || thought || delta.tool_calls)) state.first = performance.now();
    if (typeof thought === "string") state.reasoning += thought;
    state.text += delta.content || "";
    for (const call of delta.tool_calls || []) {
      const known = state.calls[call.index] ||= { id: call.id, type: "function", function: { name: "", arguments: "" } };
      known.function.name += call.function?.name || "";
      known.function.arguments += call.function?.arguments || "";
    }
  }

  function finish(talk, state, places, text) {
    const calls = state.calls.filter(Boolean);
    places.words.classList.remove("waiting");
    places.words.textContent = state.text;
    places.words.hidden = !state.text;
    for (const call of calls) {
      places.words.after(make("pre", "wrap", `${call.function.name}(${call.function.arguments})`));
    }
    if (state.error) places.numbers.before(make("p", "notice bad", state.error));
    places.numbers.textContent = numbers(state);
    if (state.raw) {
      const raw = make("details", "small");
      raw.append(make("summary", "", "Raw events"), make("pre", "wrap", state.raw));
      places.answer.append(raw);
    }
    if (state.text || calls.length) {
      talk.messages.push({ role: "user", content: text });
      const said = { role: "assistant", content: state.text || null };
      if (calls.length) said.tool_calls = calls;
      talk.messages.push(said);
    }
    talk.log.scrollTop = talk.log.scrollHeight;
  }

  function numbers(state) {
    const found = [];
    const summary = state.summary;
    if (summary) {
      const usage = summary.usage || {};
      const about = summary.usage_estimated ? "about " : "";
      found.push(summary.deployment);
      if (usage.prompt_tokens !== undefined) {
        found.push(`${about}${usage.prompt_tokens} + ${usage.completion_tokens ?? 0} tokens`);
      }
      found.push(summary.cost_usd === null ? "cost unknown" : `$${Number(summary.cost_usd.toFixed(8))}`);
    }
    if (state.first) found.push(`first token after ${Math.round(state.first - state.began)} ms`);
    if (state.ended) found.push(`${Math.round(state.ended - state.began)} ms in all`);
    return found.filter(Boolean).join(" · ");
  }

  // -- as code

  function code() {
    let request;
    try {
      const text = message.value || "Hello";
      request = body(pickers()[0].value, [...talks[0].messages, { role: "user", content: text }]);
    } catch (error) {
      document.getElementById("code").textContent = `The tools are not valid JSON: ${error.message}`;
      return;
    }
    const base = form.dataset.base;
    const made = {
      curl: () => `curl ${base}/v1/chat/completions \\\n  -H "Authorization: Bearer YOUR_KEY" \\\n  -H "Content-Type: application/json" \\\n  -d '${JSON.stringify(request, null, 2).replaceAll("'", "'\\''")}'`,
      python: () => `import json\n\nfrom openai import OpenAI\n\nclient = OpenAI(base_url="${base}/v1", api_key="YOUR_KEY")\nrequest = json.loads(r'''${JSON.stringify(request, null, 2).replaceAll("'", "\\u0027")}''')\nstream = client.chat.completions.create(**request, stream=True)\nfor chunk in stream:\n    if chunk.choices:\n        print(chunk.choices[0].delta.content or "", end="")`,
      js: () => `import OpenAI from "openai";\n\nconst client = new OpenAI({ baseURL: "${base}/v1", apiKey: "YOUR_KEY" });\nconst stream = await client.chat.completions.create({\n  ...${JSON.stringify(request, null, 2)},\n  stream: true,\n});\nfor await (const chunk of stream) {\n  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");\n}`,
    };
    document.getElementById("code").textContent = made[document.getElementById("language").value]();
  }
  const copy = document.getElementById("copy");
  copy.hidden = !navigator.clipboard;
  copy.addEventListener("click", () => navigator.clipboard.writeText(document.getElementById("code").textContent));
  form.addEventListener("input", rename);
  form.addEventListener("change", rename);
  document.getElementById("language").addEventListener("change", code);
  rename();
}
