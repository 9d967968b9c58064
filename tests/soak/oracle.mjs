// What answers must be, computed from the simulated APIs themselves, by code that shares nothing with the gateway.

const NOBODY = /^[0f-]*$/i;
const uid = (text) => (typeof text === "string" && !NOBODY.test(text) ? text.toLowerCase() : null);
const instant = (text) => {
  const time = typeof text === "string" ? Date.parse(text) : NaN;
  return Number.isNaN(time) || new Date(time).getUTCFullYear() < 1971 ? null : time;
};

/** Reads every list of the simulated console and Enterprise Manager, without faults. */
export const readEstate = async (origin) => {
  const headers = { authorization: "Bearer simulator-key", accept: "application/json" };
  const list = async (path) => {
    const rows = [];
    for (;;) {
      const response = await fetch(`${origin}/api/v3${path}?limit=100&offset=${rows.length}`, { headers });
      const { data, meta } = await response.json();
      rows.push(...data);
      if (rows.length >= meta.pagingInfo.total || data.length === 0) return rows;
    }
  };
  const servers = (await list("/infrastructure/backupServers")).map((row) => ({
    uid: uid(row.instanceUid), name: row.name, company: uid(row.organizationUid),
  }));
  const ownerOf = new Map(servers.map((server) => [server.uid, server.company]));
  const jobs = (await list("/infrastructure/backupServers/jobs")).map((row) => ({
    uid: uid(row.instanceUid), server: uid(row.backupServerUid), name: row.name, status: row.status, type: row.type,
    lastRun: instant(row.lastRun), company: uid(row.mappedOrganizationUid) ?? ownerOf.get(uid(row.backupServerUid)) ?? null,
  }));
  const companies = (await list("/organizations")).map((row) => ({ uid: uid(row.instanceUid), name: row.name }));
  const links = (await list("/infrastructure/backupServers/jobs/backupTapeJobs/jobObjects")).map((row) => ({
    job: uid(row.jobUid), linked: uid(row.linkedJobUid), unique: uid(row.uniqueJobUid),
  }));
  return { servers, jobs, companies, links };
};

/** What one caller may see of it. `caller` has `companies` or `servers` (uids), or neither: then it sees everything. */
export const visible = (estate, caller) => {
  const ofCompany = ({ company }) => !caller.companies || caller.companies.includes(company);
  const onServer = (server) => !caller.servers || caller.servers.includes(server);
  return {
    jobs: estate.jobs.filter((job) => ofCompany(job) && onServer(job.server)),
    servers: estate.servers.filter((server) => ofCompany(server) && onServer(server.uid)),
    companies: estate.companies.filter(({ uid }) => !caller.companies || caller.companies.includes(uid)),
  };
};

const sorted = (rows) => rows.map((row) => JSON.stringify(row)).sort();

/** The first difference between two bags of rows, or nothing. */
const difference = (name, found, wanted) => {
  const [has, needs] = [sorted(found), sorted(wanted)];
  if (has.length === needs.length && has.every((row, place) => row === needs[place])) return undefined;
  const missing = needs.find((row) => !has.includes(row));
  const foreign = has.find((row) => !needs.includes(row));
  return `${name}: ${has.length} rows, ${needs.length} wanted; missing ${missing}, too many ${foreign}`;
};

const count = (name, connection, wanted) =>
  connection.totalCount === wanted ? undefined : `${name}.totalCount: ${connection.totalCount}, ${wanted} wanted`;

/** Questions: a query, whom it is for, and what is wrong with one root field of the answer. */
export const questions = (estate) => [
  {
    query: "{ jobs(first: 500) { totalCount complete nodes { uid name status type lastRun backupServer { uid } company { uid } } } }",
    check: ({ jobs }, caller) => {
      const seen = visible(estate, caller);
      const servers = new Set(seen.servers.map(({ uid }) => uid));
      // whose company a caller of some servers sees is the companies' question
      const company = (uid) => (caller.servers ? null : uid);
      const row = (job) => [job.uid, job.name, job.status, job.type, job.lastRun, servers.has(job.server) ? job.server : null, company(job.company)];
      const found = jobs.nodes.map((node) => [
        node.uid, node.name, node.status, node.type, node.lastRun && Date.parse(node.lastRun), node.backupServer?.uid ?? null, company(node.company?.uid ?? null),
      ]);
      return difference("jobs", found, seen.jobs.map(row)) ?? count("jobs", jobs, seen.jobs.length);
    },
  },
  {
    query: "{ jobs(first: 500, filter: { health: [FAILED] }) { totalCount complete nodes { uid backupServerUid: backupServer { uid } } } }",
    check: ({ jobs }, caller) => {
      const failed = visible(estate, caller).jobs.filter(({ status }) => String(status).toLowerCase() === "failed");
      return difference("failed jobs", jobs.nodes.map(({ uid }) => uid), failed.map(({ uid }) => uid));
    },
  },
  {
    query: "{ backupServers(first: 500) { totalCount complete nodes { uid name jobs(first: 500) { totalCount complete nodes { uid } } } } }",
    check: ({ backupServers }, caller) => {
      const seen = visible(estate, caller);
      const wanted = seen.servers.map((server) => [server.uid, server.name, seen.jobs.filter((job) => job.server === server.uid).map(({ uid }) => uid).sort()]);
      const found = backupServers.nodes.map((node) => [node.uid, node.name, node.jobs.nodes.map(({ uid }) => uid).sort()]);
      return difference("backupServers", found, wanted);
    },
  },
  {
    query: "{ companies(first: 500) { totalCount complete nodes { uid name } } }",
    check: ({ companies }, caller) =>
      caller.servers ? undefined : difference("companies", companies.nodes, visible(estate, caller).companies.map(({ uid, name }) => ({ uid, name }))),
  },
  {
    // a job that a tape job reads is never called not on tape; a list that can't be read must not make it so
    query: "{ jobs(first: 500, filter: { tapeStatus: [NOT_ON_TAPE] }) { complete nodes { uid backupServer { uid } } } }",
    check: ({ jobs }) => {
      const byTape = new Set();
      for (const { job, linked, unique } of estate.links) {
        const tapes = estate.jobs.filter((candidate) => candidate.uid === job);
        // only links whose server is beyond doubt
        if (tapes.length === 1 || unique === null) tapes.length === 1 && byTape.add(`${tapes[0].server} ${linked}`);
      }
      const wrong = jobs.nodes.find(({ uid, backupServer }) => backupServer && byTape.has(`${backupServer.uid} ${uid}`));
      return wrong && `NOT_ON_TAPE: job ${wrong.uid} is read by a tape job`;
    },
  },
  {
    query: "query Lookup($uid: UUID!, $server: UUID!) { job(uid: $uid, backupServerUid: $server) { name status } }",
    variables: (random) => {
      const job = estate.jobs[random(estate.jobs.length)];
      return { uid: job.uid, server: job.server };
    },
    check: ({ job }, caller, { uid, server }) => {
      const wanted = visible(estate, caller).jobs.find((candidate) => candidate.uid === uid && candidate.server === server);
      const found = job && [job.name, job.status];
      return JSON.stringify(found) === JSON.stringify(wanted ? [wanted.name, wanted.status] : null)
        ? undefined
        : `job ${uid}: ${JSON.stringify(found)}, ${JSON.stringify(wanted)} wanted`;
    },
  },
];

/** Root fields of an answer that say of themselves that they are not whole, by an error or `complete: false`. */
export const toldRoots = (answer) => {
  const told = new Set();
  for (const { path } of answer.errors ?? []) {
    if (!path?.length) return undefined; // about the whole answer
    told.add(path[0]);
  }
  for (const [root, value] of Object.entries(answer.data ?? {})) {
    const open = [value];
    while (open.length > 0) {
      const next = open.pop();
      if (next === null || typeof next !== "object") continue;
      if (next.complete === false) told.add(root);
      open.push(...Object.values(next));
    }
  }
  return told;
};

/** Ids that must not stand in any answer to a caller. */
export const forbidden = (estate, caller) => {
  if (!caller.companies && !caller.servers) return [];
  const seen = visible(estate, caller);
  const allowed = new Set([...seen.jobs, ...seen.servers, ...seen.companies].map(({ uid }) => uid));
  seen.jobs.forEach(({ company, server }) => allowed.add(company).add(server));
  return [...estate.jobs, ...estate.servers, ...estate.companies].map(({ uid }) => uid).filter((uid) => !allowed.has(uid));
};
