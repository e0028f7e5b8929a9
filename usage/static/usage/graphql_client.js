"use strict";

// Starts GraphiQL on the page's endpoint, with the key that was pasted above it. Nothing outlives the page.
document.addEventListener("DOMContentLoaded", () => {
  const { endpoint, operations, schema } = JSON.parse(document.getElementById("graphql-client-settings").textContent);
  const key = document.querySelector("[name=key]");
  // The ids in the query are long, the answer is not.
  const kept = new Map([["graphiql:editorFlex", "1.8"]]);
  const storage = {
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => kept.set(name, value),
    removeItem: (name) => kept.delete(name),
    clear: () => kept.clear(),
    get length() {
      return kept.size;
    },
  };

  async function fetcher(asked) {
    // The page has the schema with it, to be read before there is a token.
    if (asked.operationName === "IntrospectionQuery") {
      return { data: schema };
    }
    const token = key.value.trim();
    if (!token) {
      key.focus();
      return { errors: [{ message: "Paste the API token first." }] };
    }
    const response = await fetch(endpoint, {
      method: "POST",
      credentials: "omit",
      headers: { "Content-Type": "application/json", "X-SALESBRICKS-KEY": token },
      body: JSON.stringify(asked),
    });
    return response.json();
  }

  const client = React.createElement(GraphiQL, {
    fetcher,
    storage,
    defaultTabs: operations.map((query) => ({ query })),
    isHeadersEditorEnabled: false,
    forcedTheme: document.documentElement.classList.contains("dark") ? "dark" : "light",
  });
  ReactDOM.createRoot(document.getElementById("graphql-client")).render(client);
});
