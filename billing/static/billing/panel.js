"use strict";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) {
    return;
  }
  event.preventDefault();
  await copy(button.dataset.copy);
  const icon = button.querySelector(".material-symbols-outlined");
  button.classList.add("copied");
  icon.textContent = "check";
  setTimeout(() => {
    button.classList.remove("copied");
    icon.textContent = "content_copy";
  }, 1500);
});

// The menu of workspaces closes as menus do.
document.addEventListener("click", (event) => {
  const menu = document.getElementById("workspace-switch");
  if (menu && menu.open && !menu.contains(event.target)) {
    menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  const menu = document.getElementById("workspace-switch");
  if (event.key === "Escape" && menu && menu.open) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) {
    return navigator.clipboard.writeText(text);
  }
  // Over plain HTTP, as on a machine in the office, browsers give pages no clipboard.
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

// A form that asks for one thing goes on by itself once it is chosen; its button stays for those without scripts.
document.addEventListener("DOMContentLoaded", () => {
  if (window.django && django.jQuery) {
    django.jQuery("form[data-submit-on-change] select").on("change", function () {
      this.form.requestSubmit();
    });
  }
});

// What is typed is read on the server, by the workspace's format: below each field stands what it understood.
const ECHO_DELAY = 300;

function entryName(input) {
  return input.dataset.entry === "moment" ? input.name.replace(/_[012]$/, "") : input.name;
}

function echoOf(form, name) {
  return [...form.querySelectorAll(".panel-echo")].find((echo) => echo.dataset.of === name);
}

function prepareEntry(input) {
  const form = input.form;
  if (!form || input.type === "hidden" || input.dataset.prepared) {
    return;
  }
  input.dataset.prepared = "yes";
  const box = input.parentElement;
  if (input.dataset.entry === "day" || input.dataset.entryPart === "day") {
    box.classList.add("panel-typed");
    box.append(dayPicker(input));
  }
  const name = entryName(input);
  let echo = echoOf(form, name);
  if (!echo) {
    echo = document.createElement("p");
    echo.className = "panel-echo";
    echo.dataset.of = name;
    echo.setAttribute("aria-live", "polite");
  }
  // Below the last of a moment's parts.
  box.after(echo);
}

function dayPicker(input) {
  const label = document.createElement("label");
  label.className = "panel-pick";
  label.title = "Choose a day";
  const icon = document.createElement("span");
  icon.className = "material-symbols-outlined";
  icon.textContent = "calendar_month";
  const native = document.createElement("input");
  native.type = "date";
  native.tabIndex = -1;
  native.setAttribute("aria-label", "Choose a day");
  native.addEventListener("click", () => native.showPicker && native.showPicker());
  native.addEventListener("change", () => {
    // ISO, which every workspace reads.
    input.value = native.value;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  });
  label.append(icon, native);
  return label;
}

const waiting = new WeakMap();

function askForEchoes(form) {
  clearTimeout(waiting.get(form));
  waiting.set(form, setTimeout(() => showEchoes(form), ECHO_DELAY));
}

async function showEchoes(form) {
  const asked = Symbol();
  form.panelAsked = asked;
  let echoes;
  try {
    const response = await fetch(window.location.href, {
      method: "POST",
      body: new FormData(form),
      headers: { "X-Panel-Echo": "1" },
    });
    if (!response.ok || !response.headers.get("Content-Type").startsWith("application/json")) {
      return;
    }
    echoes = await response.json();
  } catch {
    return;
  }
  if (form.panelAsked !== asked) {
    return;
  }
  // What is sent is read as is shown here, or not at all.
  const carried = form.querySelector("input[name=read_as]");
  if (carried && typeof echoes.read_as === "string") {
    carried.value = echoes.read_as;
  }
  for (const echo of form.querySelectorAll(".panel-echo")) {
    const said = echoes[echo.dataset.of];
    echo.textContent = said ? said.text : "";
    echo.classList.toggle("read", Boolean(said && said.is_read));
    echo.classList.toggle("unread", Boolean(said && !said.is_read));
  }
}

function prepareEntries(root) {
  const forms = new Set();
  for (const input of root.querySelectorAll("[data-entry]")) {
    if (!input.closest(".empty-form")) {
      prepareEntry(input);
      forms.add(input.form);
    }
  }
  forms.forEach((form) => form && askForEchoes(form));
}

document.addEventListener("DOMContentLoaded", () => {
  prepareEntries(document);
  // Searched selects tell their changes to jQuery alone.
  if (window.django && django.jQuery) {
    django.jQuery(document).on("change", "select", function () {
      if (this.form && this.form.querySelector(".panel-echo")) {
        askForEchoes(this.form);
      }
    });
  }
});
document.addEventListener("formset:added", (event) => prepareEntries(event.target));
for (const kind of ["input", "change"]) {
  document.addEventListener(kind, (event) => {
    const form = event.target.form;
    if (form && form.querySelector(".panel-echo")) {
      askForEchoes(form);
    }
  });
}

// Ctrl+K: the first that is found is chosen, so that Enter goes there; where nothing is found it does nothing.
document.addEventListener("htmx:after-swap", (event) => {
  if (event.target.id === "command-results" && event.target.querySelector("a")) {
    document.getElementById("search-input-command").dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown" }));
  }
});
document.addEventListener(
  "keydown",
  (event) => {
    if (event.key === "Enter" && event.target.id === "search-input-command" && !document.querySelector("#command-results-list a")) {
      event.preventDefault();
      event.stopPropagation();
    }
  },
  true,
);
