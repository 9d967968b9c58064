// GraphiQL over this gateway: the page's own origin and nothing else.
import { GraphiQL } from "graphiql";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { createRoot } from "react-dom/client";
import "graphiql/style.css";

import walk from "../../examples/queries/04-tape-walk.graphql";
import failed from "../../examples/queries/01-failed-last-day.graphql";
import tape from "../../examples/queries/03-not-on-tape.graphql";
import history from "../../examples/queries/06-agent-history.graphql";

// The page is at …/graphiql, its files below it, and GraphQL beside it: also behind a proxy's path prefix.
const here = new URL(".", document.baseURI);
const worker = (name) => new Worker(new URL(`graphiql/${name}.worker.js`, here));
globalThis.MonacoEnvironment = {
  getWorker: (_id, label) => worker(label === "json" || label === "graphql" ? label : "editor"),
};

const fetcher = createGraphiQLFetcher({ url: new URL("graphql", here).toString() });
const defaultTabs = [walk, failed, tape, history].map((query) => ({ query }));

createRoot(document.getElementById("graphiql")).render(
  <GraphiQL fetcher={fetcher} defaultTabs={defaultTabs} shouldPersistHeaders={false} defaultEditorToolsVisibility={false} />,
);
