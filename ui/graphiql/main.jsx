// GraphiQL over this gateway: the page's own origin and nothing else.
import { GraphiQL } from "graphiql";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { createRoot } from "react-dom/client";
import "graphiql/style.css";
import "./main.css";

import { examples } from "examples";
import { ApiKey, Examples, LastAnswer } from "./panel.jsx";
import { fetchWithKey } from "./session.js";
import { storageWithoutSecrets } from "./storage.js";

// The page is at …/graphiql, its files below it, and GraphQL beside it: also behind a proxy's path prefix.
const here = new URL(".", document.baseURI);
const worker = (name) => new Worker(new URL(`graphiql/${name}.worker.js`, here));
globalThis.MonacoEnvironment = {
  getWorker: (_id, label) => worker(label === "json" || label === "graphql" ? label : "editor"),
};

const url = new URL("graphql", here).toString();
const fetcher = createGraphiQLFetcher({ url, fetch: fetchWithKey });

// A link to a query: ?query=…&variables=…&operationName=…
const asked = new URLSearchParams(location.search);
const link = asked.get("query") && { query: asked.get("query"), variables: asked.get("variables") ?? undefined };
const first = examples.find(({ name }) => name === "04-tape-walk") ?? examples[0];

// Whether a key is wanted is known before the editor is shown, so that the headers are open where they are needed.
const probe = await fetch(url, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ query: "{ __typename }" }),
}).catch(() => undefined);
const needsKey = probe?.status === 401;

createRoot(document.getElementById("graphiql")).render(
  <GraphiQL
    fetcher={fetcher}
    storage={storageWithoutSecrets(globalThis.localStorage)}
    // a link opens what it says, whatever this browser remembers
    {...(link ? { initialQuery: link.query, initialVariables: link.variables } : {})}
    defaultTabs={[link || { query: first.query }]}
    shouldPersistHeaders={false}
    showPersistHeadersSettings={false}
    defaultEditorToolsVisibility={needsKey ? "headers" : Boolean(link?.variables)}
  >
    <GraphiQL.Logo>
      <Examples examples={examples} />
      <ApiKey isNeeded={needsKey} />
    </GraphiQL.Logo>
    <GraphiQL.Footer>
      <LastAnswer />
    </GraphiQL.Footer>
  </GraphiQL>,
);
