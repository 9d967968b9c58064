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
// adds to every job, whatever its type, and knows one kind by what its servers call it
const notes = `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.5", import: ["@key", "@interfaceObject"])
  type Job @interfaceObject @key(fields: "id") { id: ID! notes: [String!]! }
`;
const bills = `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.5", import: ["@key", "@external"])
  type VmBackupJob @key(fields: "uid backupServer { uid }") { uid: UUID! backupServer: BackupServer @external price: Float }
  type BackupServer @key(fields: "uid") { uid: UUID! }
  scalar UUID
`;
const result = composeServices([
  { name: "veeam", url: "http://veeam/graphql", typeDefs: parse(ours) },
  { name: "tickets", url: "http://tickets/graphql", typeDefs: parse(theirs) },
  { name: "notes", url: "http://notes/graphql", typeDefs: parse(notes) },
  { name: "bills", url: "http://bills/graphql", typeDefs: parse(bills) },
]);
for (const error of result.errors ?? []) console.error(error.message);
console.log(result.errors ? "composition failed" : "composition with another Relay subgraph: ok");
process.exit(result.errors ? 1 : 0);
