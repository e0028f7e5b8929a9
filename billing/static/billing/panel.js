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
