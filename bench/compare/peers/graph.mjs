// The part of the gateway's schema that the bench asks, over the same REST API, as a good engineer would write it with
// DataLoader: one call per key, a cache with a time to live.
import DataLoader from 'dataloader';
import { Agent } from 'undici';

const { UPSTREAM, UPSTREAM_KEY } = process.env;
const dispatcher = new Agent({ connections: 64 });
const cache = new Map();
const LIFETIME = 3_600_000;

async function get(path) {
  const known = cache.get(path);
  if (known && known.until > Date.now()) return known.answer;
  const answer = fetch(UPSTREAM + path, { dispatcher, headers: { authorization: `Bearer ${UPSTREAM_KEY}`, accept: 'application/json' } }).then(
    async (response) => {
      if (!response.ok) throw new Error(`${path}: ${response.status}`);
      return (await response.json()).data;
    },
  );
  cache.set(path, { answer, until: Date.now() + LIFETIME });
  return answer;
}

export const typeDefs = /* GraphQL */ `
  scalar UUID
  type Query {
    backupServer(uid: UUID!): BackupServer
    backupServers(first: Int): BackupServerConnection!
    jobs(first: Int): JobConnection!
  }
  type BackupServerConnection { nodes: [BackupServer!]! }
  type BackupServer { uid: UUID! name: String! version: String tapeLinkedJobs(first: Int): LinkedJobConnection! }
  type LinkedJobConnection { nodes: [LinkedJob!]! }
  type LinkedJob { jobUid: UUID! linkedJobUid: UUID! linkedJob: Job }
  interface Job { uid: UUID! name: String! status: String! type: String! isEnabled: Boolean lastDurationSeconds: Int scheduleType: String destination: String }
  type AgentJob implements Job { uid: UUID! name: String! status: String! type: String! isEnabled: Boolean lastDurationSeconds: Int scheduleType: String destination: String objects(first: Int): AgentJobObjectConnection! }
  type OtherJob implements Job { uid: UUID! name: String! status: String! type: String! isEnabled: Boolean lastDurationSeconds: Int scheduleType: String destination: String }
  type JobConnection { nodes: [Job!]! }
  type AgentJobObjectConnection { nodes: [AgentJobObject!]! }
  type AgentJobObject { uid: UUID! computer: String backupStatus: String! }
`;

const servers = '/infrastructure/backupServers';
const job = {
  uid: (row) => row.instanceUid,
  lastDurationSeconds: (row) => row.lastDuration,
};
const page = (rows, first) => ({ nodes: rows.slice(0, first ?? 50) });

export const resolvers = {
  Query: {
    backupServer: (_, { uid }, { loaders }) => loaders.one.load(`${servers}/${uid}`),
    backupServers: async (_, { first }, { loaders }) => page(await loaders.one.load(`${servers}?limit=500`), first),
    jobs: async (_, { first }, { loaders }) => ({ nodes: await loaders.one.load(`${servers}/jobs?limit=${first ?? 50}`) }),
  },
  BackupServer: {
    uid: (row) => row.instanceUid,
    tapeLinkedJobs: async (row, { first }, { loaders }) =>
      page(await loaders.one.load(`${servers}/${row.instanceUid}/jobs/backupTapeJobs/jobObjects?limit=500`), first),
  },
  LinkedJob: { linkedJob: (row, _, { loaders }) => loaders.one.load(`${servers}/jobs/${row.linkedJobUid}`) },
  Job: { __resolveType: (row) => (row.type === 'AgentBackupJob' ? 'AgentJob' : 'OtherJob') },
  AgentJob: {
    ...job,
    objects: async (row, { first }, { loaders }) =>
      page(await loaders.one.load(`${servers}/jobs/agentJobs/${row.instanceUid}/objects?limit=500`), first),
  },
  OtherJob: job,
  AgentJobObject: { uid: (row) => row.instanceUid },
};

export const context = () => ({ loaders: { one: new DataLoader((paths) => Promise.all(paths.map(get))) } });
