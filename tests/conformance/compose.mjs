// Composes the federated schema with another Relay subgraph, which also extends types of ours by their keys, as a router would.
import { composeServices } from "@apollo/composition";
import { parse } from "graphql";
import { readFileSync } from "node:fs";

const ours = readFileSync(process.argv[2], "utf8");
const theirs = `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.5", import: ["@key", "@shareable", "@inaccessible"])
  interface Node { id: ID! }
  type Ticket implements Node @key(fields: "id") { id: ID! title: String }
  type Company @key(fields: "id") { id: ID! tickets: [Ticket!]! }
  type BackupServer @key(fields: "uid") { uid: UUID! tickets: [Ticket!]! }
  type AgentJob @key(fields: "id") { id: ID! tickets: [Ticket!]! }
  scalar UUID
  type Query { node(id: ID!): Node @shareable @inaccessible  tickets: [Ticket!]! }
`;
const result = composeServices([
  { name: "veeam", url: "http://veeam/graphql", typeDefs: parse(ours) },
  { name: "tickets", url: "http://tickets/graphql", typeDefs: parse(theirs) },
]);
for (const error of result.errors ?? []) console.error(error.message);
console.log(result.errors ? "composition failed" : "composition with another Relay subgraph: ok");
process.exit(result.errors ? 1 : 0);
