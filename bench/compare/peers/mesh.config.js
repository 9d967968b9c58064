// The part of the gateway's schema that the bench asks, over the same REST API, for Hive Gateway.
import { defineConfig } from '@graphql-mesh/compose-cli';
import { loadJSONSchemaSubgraph } from '@omnigraph/json-schema';

const servers = '/infrastructure/backupServers';
const row = (title, members) => ({
  type: 'object',
  title,
  properties: Object.fromEntries(Object.entries(members).map(([name, type]) => [name, { type }])),
});
const server = row('BackupServer', { instanceUid: 'string', name: 'string', version: 'string' });
const link = row('LinkedJob', { jobUid: 'string', linkedJobUid: 'string' });
const job = row('Job', {
  instanceUid: 'string',
  name: 'string',
  status: 'string',
  type: 'string',
  isEnabled: 'boolean',
  lastDuration: 'integer',
  scheduleType: 'string',
  destination: 'string',
});
const object = row('Object', { instanceUid: 'string', computer: 'string', backupStatus: 'string' });
const get = (field, path, data) => ({
  type: 'Query',
  field,
  method: 'GET',
  path,
  responseSchema: { type: 'object', title: `${field}_answer`, properties: { data } },
});
const many = (items) => ({ type: 'array', items });

export const composeConfig = defineConfig({
  subgraphs: [
    {
      sourceHandler: loadJSONSchemaSubgraph('console', {
        endpoint: '{env.UPSTREAM}',
        operationHeaders: { authorization: 'Bearer {env.UPSTREAM_KEY}', accept: 'application/json' },
        operations: [
          get('backupServer', `${servers}/{args.uid}`, server),
          get('backupServers', `${servers}?limit=500`, many(server)),
          get('jobs', `${servers}/jobs?limit=100`, many(job)),
          get('job', `${servers}/jobs/{args.uid}`, job),
          get('tapeLinkedJobs', `${servers}/{args.uid}/jobs/backupTapeJobs/jobObjects?limit=500`, many(link)),
          get('objects', `${servers}/jobs/agentJobs/{args.uid}/objects?limit=500`, many(object)),
        ],
      }),
    },
  ],
  additionalTypeDefs: /* GraphQL */ `
    extend type BackupServer {
      tapeLinkedJobs: tapeLinkedJobs_answer
        @resolveTo(sourceName: "console", sourceTypeName: "Query", sourceFieldName: "tapeLinkedJobs", requiredSelectionSet: "{ instanceUid }", sourceArgs: { uid: "{root.instanceUid}" })
    }
    extend type LinkedJob {
      linkedJob: job_answer
        @resolveTo(sourceName: "console", sourceTypeName: "Query", sourceFieldName: "job", requiredSelectionSet: "{ linkedJobUid }", sourceArgs: { uid: "{root.linkedJobUid}" })
    }
    extend type Job {
      objects: objects_answer
        @resolveTo(sourceName: "console", sourceTypeName: "Query", sourceFieldName: "objects", requiredSelectionSet: "{ instanceUid }", sourceArgs: { uid: "{root.instanceUid}" })
    }
  `,
});
