// Shows the API description that the page names. Without a validator's address, the page requests nothing from other hosts.
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
