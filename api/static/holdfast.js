/* Holdfast: what makes pages more pleasant. Every page works without it.

   [data-live]      its content is replaced by that of the same element of a fresh page, when something changed
   [data-watch]     on an element: what to watch, ids of packages or "*" for the whole archive
   [data-copy]      a button that copies the text of the element with that id
   [data-check-all] a checkbox for all checkboxes of that name in its form
   [data-counts]    shows how many of them are checked
   form[data-upload] sends its files as a stream, shows how far it is, and takes whole folders that are dropped */
"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);

  // --- live parts: only what changed is replaced; focus, checks, open details and typed text stay ---

  const keyOf = (node) => node.id ? `#${CSS.escape(node.id)}`
    : node.name ? `[name="${CSS.escape(node.name)}"][value="${CSS.escape(node.value)}"]`
    : node.matches("a[href]") ? `a[href="${CSS.escape(node.getAttribute("href"))}"]`
    : node.matches("summary") ? `details#${CSS.escape(node.parentNode.id)} > summary` : null;

  const isBusyIn = (part) => {
    const node = document.activeElement, selection = getSelection();
    const typing = part.contains(node) && node.matches("textarea, select, input:not([type=checkbox], [type=radio])");
    const selecting = selection && !selection.isCollapsed && selection.containsNode(part, true);
    return typing || selecting || all("textarea, input[type=text]", part).some((each) => each.value !== each.defaultValue);
  };

  const replace = (part, fresh) => {
    if (part.innerHTML === part.dataset.before || isBusyIn(part)) return;
    const focus = part.contains(document.activeElement) ? keyOf(document.activeElement) : null;
    const checked = new Set(all("input:checked", part).map(keyOf));
    const open = all("details[id][open]", part).map((each) => each.id);
    part.replaceChildren(...document.importNode(fresh, true).childNodes);
    for (const each of all("input[type=checkbox]", part)) each.checked = checked.has(keyOf(each)) && !each.disabled;
    for (const id of open) { const each = document.getElementById(id); if (each) each.open = true; }
    if (focus) one(focus, part)?.focus({ preventScroll: true });
    count();
  };

  let asked = 0, took = 0, waiting = null;
  const refresh = async () => {
    waiting = null; asked = Date.now();
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "manual" }).catch(() => null);
    if (!answer || !answer.ok) return;
    took = Date.now() - asked;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of all("[data-live][id]")) {
      const fresh = page.getElementById(part.id);
      if (!fresh) continue;
      if (fresh.innerHTML !== part.dataset.seen && fresh.innerHTML !== part.innerHTML) replace(part, fresh);
      part.dataset.seen = fresh.innerHTML;
    }
    const watched = one("[data-watch]"), next = one("[data-watch]", page);
    if (watched && watched.dataset.watch !== (next ? next.dataset.watch : "")) {
      watched.dataset.watch = next ? next.dataset.watch : "";
      follow();
    }
  };
  const soon = () => { waiting ??= setTimeout(refresh, Math.max(150, asked + Math.max(1000, 10 * took) - Date.now())); };

  let source = null;
  const follow = () => {
    source?.close(); source = null;
    const wanted = one("[data-watch]")?.dataset.watch;
    if (!wanted || !window.EventSource) return;
    const query = wanted === "*" ? "" : "?" + wanted.split(" ").map((id) => `package=${encodeURIComponent(id)}`).join("&");
    source = new EventSource(`/live${query}`);
    source.addEventListener("open", soon);
    source.addEventListener("change", soon);
  };
  if (one("[data-live]")) {
    follow();
    setInterval(() => { if (!document.hidden) soon(); }, 60000);  // "2 min ago" must not stay so for a night
    addEventListener("visibilitychange", () => { if (!document.hidden && Date.now() - asked > 30000) soon(); });
    addEventListener("pagehide", () => source?.close());
    addEventListener("pageshow", (event) => { if (event.persisted) { follow(); soon(); } });
  }

  // --- copy, check all, count ---

  const count = () => all("[data-counts]").forEach((shown) => {
    const number = all(`input[name="${shown.dataset.counts}"]:checked`).length;
    shown.textContent = number ? `${number} chosen` : "";
  });
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(text.textContent.trim());
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    } catch { getSelection().selectAllChildren(text); }
  });
  document.addEventListener("change", (event) => {
    const name = event.target.dataset?.checkAll;
    if (name) all(`input[name="${name}"]`, event.target.form).forEach((each) => { each.checked = event.target.checked && !each.disabled; });
    count();
  });
  all("[data-copy]").forEach((each) => { each.hidden = false; });
  count();

  // --- deposit: whole folders, and how far the upload is ---

  const form = one("form[data-upload]");
  if (!form) return;
  const drop = one(".drop", form), list = one("#chosen", form), bar = one("progress", form), told = one("#told", form);
  const input = one("input[type=file][name=files]", form), folder = one("#folder", form);
  let files = [];  // [path, File]: what came by dropping, or by choosing

  const size = (bytes) => {
    for (const unit of ["bytes", "KB", "MB", "GB"]) {
      if (bytes < 1000) return `${unit === "bytes" ? bytes : bytes.toFixed(1)} ${unit}`;
      bytes /= 1000;
    }
    return `${bytes.toFixed(1)} TB`;
  };
  const take = (found) => {
    files = found;
    const bytes = found.reduce((sum, [, file]) => sum + file.size, 0);
    list.textContent = found.length ? `${found.length} ${found.length === 1 ? "file" : "files"}, ${size(bytes)}: `
      + found.slice(0, 5).map(([path]) => path).join(", ") + (found.length > 5 ? " …" : "") : "";
  };
  const chosen = (from) => [...from.files].map((file) => [file.webkitRelativePath || file.name, file]);
  input.addEventListener("change", () => { folder.value = ""; take(chosen(input)); });
  folder.addEventListener("change", () => { input.value = ""; input.required = false; take(chosen(folder)); });
  for (const id of ["by-folder", "can-drop"]) document.getElementById(id).hidden = false;

  const walk = async (entry, found, before = "") => {
    const path = before + entry.name;
    if (entry.isFile) found.push([path, await new Promise((done, failed) => entry.file(done, failed))]);
    else if (entry.isDirectory) {
      const reader = entry.createReader();
      for (;;) {  // a reader gives a hundred at a time
        const some = await new Promise((done, failed) => reader.readEntries(done, failed));
        if (!some.length) break;
        for (const each of some) await walk(each, found, `${path}/`);
      }
    }
  };
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", (event) => { if (!drop.contains(event.relatedTarget)) drop.classList.remove("over"); });
  drop.addEventListener("drop", async (event) => {
    event.preventDefault(); drop.classList.remove("over");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean), found = [];
    list.textContent = "looking through what was dropped …";
    try { for (const each of entries) await walk(each, found); } catch { say("Something that was dropped cannot be read.", true); }
    input.value = folder.value = ""; input.required = false;
    take(found);
  });

  const say = (text, bad = false) => { told.textContent = text; told.className = text ? `notice ${bad ? "bad" : ""}` : ""; };
  form.addEventListener("submit", (event) => {
    if (!files.length) take(chosen(input));
    if (!files.length) return;
    event.preventDefault();
    const body = new FormData();
    for (const name of ["title", "corrects"]) if (form.elements[name]?.value) body.append(name, form.elements[name].value);
    if (form.elements.new?.checked) body.append("new", "true");
    const record = one("input[name=record]", form);
    if (record?.files.length) body.append("record", record.files[0]);
    for (const [path, file] of files) body.append("files", file, path);
    const request = new XMLHttpRequest(), buttons = all("button", form);
    const end = (text) => { say(text, true); bar.hidden = true; buttons.forEach((each) => { each.disabled = false; }); };
    request.open("POST", "/api/deposits");
    request.setRequestHeader("X-Form-Token", form.elements.form_token.value);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      bar.max = total; bar.value = loaded;
      say(loaded < total ? `${size(loaded)} of ${size(total)} sent` : "All is sent; it is being put on disk …");
    });
    request.addEventListener("load", () => {
      let said = {};
      try { said = JSON.parse(request.responseText); } catch { /* not ours: the status says enough */ }
      if (request.status === 202 || request.status === 200) location.assign(`/packages/${encodeURIComponent(said.id)}?done=received`);
      else end([said.detail || `The archive answered ${request.status}.`, said.hint, ...(said.findings || []).map((each) => each.message)].filter(Boolean).join(" "));
    });
    request.addEventListener("error", () => end("The connection broke off. Nothing was kept; send it again."));
    buttons.forEach((each) => { each.disabled = true; });
    bar.hidden = false; bar.removeAttribute("value"); say("Sending …");
    request.send(body);
  });
})();
