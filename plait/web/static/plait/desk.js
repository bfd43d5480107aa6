// The desk's behaviour: drawer, keyboard, theme, filters, search. No inline script, no style attribute.
(() => {
  const root = document.documentElement;
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  let back = null; // what had the focus before a dialog opened

  function open(box) {
    if (box.hidden) back = document.activeElement;
    box.hidden = false;
    document.body.classList.add("dimmed");
    (one("[data-first]", box) || one("[data-close]", box) || box).focus();
  }
  function close() {
    const boxes = all(".drawer, .keys").filter((box) => !box.hidden);
    boxes.forEach((box) => { box.hidden = true; if (box.id === "drawer") box.replaceChildren(); });
    document.body.classList.remove("dimmed");
    if (boxes.length && back && back.isConnected) back.focus();
  }
  function settle() {
    if (!one("[aria-busy=true]")) root.dataset.ready = "1";
  }

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "drawer") open(event.detail.target);
    event.detail.target.removeAttribute("aria-busy");
    settle();
  });
  document.addEventListener("htmx:responseError", (event) => {
    const { target, xhr } = event.detail;
    target.removeAttribute("aria-busy");
    const page = new DOMParser().parseFromString(xhr.responseText, "text/html");
    const said = one("main .fault p", page);
    const note = document.createElement("p");
    note.className = "note note-error";
    note.textContent = said ? said.textContent : `${xhr.status} ${xhr.statusText}`;
    if (target.id === "drawer") {
      const box = document.createElement("div");
      box.className = "drawer-box";
      const button = document.createElement("button");
      button.type = "button"; button.className = "btn btn-sm"; button.dataset.close = ""; button.textContent = "×";
      box.append(button, note);
      target.replaceChildren(box);
      open(target);
    } else target.replaceChildren(note);
    settle();
  });
  document.addEventListener("click", (event) => {
    const target = event.target;
    if (target.closest("[data-close]")) close();
    else if (target.matches(".drawer, .keys")) close();
    else if (target.closest("[data-toggle-rail]")) {
      const rail = one(".rail"), shown = rail.classList.toggle("open");
      one("[data-toggle-rail]").setAttribute("aria-expanded", shown);
    } else if (target.closest("[data-theme-button]")) turn();
    else if (target.closest("[data-copy]")) copy(target.closest("[data-copy]"));
    else if (target.closest("[data-dialog]")) ask(target.closest("[data-dialog]"));
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit]")) submit(event.target.form, event.target);
    const all = event.target.dataset.checkAll;
    if (all) for (const box of event.target.form.querySelectorAll(`input[name="${all}"]`)) box.checked = event.target.checked;
  });
  document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-state], .options, .filters")) { event.preventDefault(); submit(event.target); }
    const asked = event.target.dataset.confirm;
    if (asked && !confirm(asked)) event.preventDefault();
  });

  // The address carries only what differs from the default; a chosen period replaces own dates.
  function submit(form, changed) {
    const data = new FormData(form);
    if (changed && changed.name === "period") { data.delete("from"); data.delete("to"); }
    const query = new URLSearchParams([...data].filter(([, value]) => value !== ""));
    location.assign(`${location.pathname}${query.size ? "?" : ""}${query}`);
  }
  function turn() {
    const theme = root.dataset.bsTheme === "dark" ? "light" : "dark";
    root.dataset.bsTheme = theme;
    localStorage.setItem("plait-theme", theme);
    sayTheme();
    document.dispatchEvent(new Event("plait:theme"));
  }
  function sayTheme() {
    const button = one("[data-theme-button]");
    if (button) button.textContent = root.dataset.bsTheme === "dark" ? button.dataset.light : button.dataset.dark;
  }
  function copy(button) {
    navigator.clipboard.writeText(button.dataset.copy).then(() => { button.textContent = button.dataset.copied; });
  }

  // Search hides what does not hold every word; accents and case make no difference.
  const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  document.addEventListener("input", (event) => {
    const selector = event.target.dataset.search;
    if (!selector) return;
    const words = plain(event.target.value).split(/\s+/).filter(Boolean);
    all(selector).forEach((row) => { row.hidden = !words.every((word) => plain(row.textContent).includes(word)); });
  });

  // Keys: off inside inputs, and where the person has switched them off.
  let leading = false;
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { close(); return; }
    if (event.key === "Tab") { hold(event); return; }
    if (document.body.dataset.shortcuts !== "yes" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, [contenteditable]")) return;
    if (leading) { leading = false; go(event.key); return; }
    if (!all(".drawer, .keys").some((box) => !box.hidden) && press(event.key)) { event.preventDefault(); return; }
    const compare = one("[data-compare]");
    if (event.key === "g") leading = true;
    else if (event.key === "?") open(one("#keys"));
    else if (event.key === "t") turn();
    else if (event.key === "p") print();
    else if (event.key === "/" && one("[data-search], [type=search]")) { event.preventDefault(); one("[data-search], [type=search]").focus(); }
    else if (event.key === "x" && compare) { compare.value = compare.value === "none" ? "previous" : "none"; submit(compare.form, compare); }
  });
  // A dialog that asks for more before a form is sent: the button says where to, and about what.
  function ask(button) {
    const box = one(button.dataset.dialog);
    one("form", box).action = button.dataset.action;
    one("[data-says]", box).textContent = button.dataset.says;
    open(box);
  }
  // Lists that are worked through: j and k move, other letters press what the row or the page has for them. The place
  // is remembered, so that after an answer the next row is where the last one was.
  const place = `plait-row ${location.pathname}`;
  function press(key) {
    const rows = all("[data-rows] [data-row]"), at = rows.findIndex((row) => row.contains(document.activeElement));
    if (rows.length && (key === "j" || key === "k")) {
      const next = at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + (key === "j" ? 1 : -1)));
      stand(rows[next], next);
      return true;
    }
    const name = CSS.escape(key), target = at < 0 ? one(`[data-page-key="${name}"]`) : one(`[data-key="${name}"]`, rows[at]);
    if (target) target.click();
    return Boolean(target);
  }
  function stand(row, number) {
    row.focus();
    sessionStorage.setItem(place, number);
  }
  function stay() {
    const rows = all("[data-rows] [data-row]"), number = sessionStorage.getItem(place);
    if (rows.length && number !== null && document.referrer.startsWith(location.origin + location.pathname)) stand(rows[Math.min(rows.length - 1, number)], number);
  }
  function go(key) {
    const target = key === "h" ? one(".brand") : one(`[data-go="${CSS.escape(key)}"]`);
    if (target) location.assign(target.href);
  }
  // An open dialog keeps the focus.
  function hold(event) {
    const box = all(".drawer, .keys").find((dialog) => !dialog.hidden);
    if (!box) return;
    const stops = all("a[href], button, input, select, [tabindex='0'], summary", box);
    if (!stops.length) return;
    const edge = event.shiftKey ? stops[0] : stops.at(-1), other = event.shiftKey ? stops.at(-1) : stops[0];
    if (document.activeElement === edge || !box.contains(document.activeElement)) { event.preventDefault(); other.focus(); }
  }

  sayTheme();
  settle();
  stay();
})();
