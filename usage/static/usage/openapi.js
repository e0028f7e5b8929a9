// Shows the document that the page names. Without a validator's address, the page asks nothing of any other host.
window.addEventListener("load", () => {
  SwaggerUIBundle({
    url: document.getElementById("openapi").dataset.url,
    dom_id: "#openapi",
    deepLinking: true,
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
  });
});
